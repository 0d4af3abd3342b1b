# SPDX-License-Identifier: MIT
# What is particular to the processor: how the kernel is compiled, and what is linked into it.
ARCH := arch/x86_64
ARCH_SOURCES := $(wildcard $(ARCH)/*.c) $(ARCH)/entry.S

# No extended registers, for they hold ring 3's state; no red zone, for interrupts write below RSP
# (docs/hazards/red-zone.md); frame pointers, for backtraces, everywhere but in the files of FRAMELESS,
# whose functions call little that comes back.  No strict aliasing: retyping memory is what the kernel
# does.
ARCH_FLAGS := --target=x86_64-unknown-none-elf -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
              -fno-pic -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
KERNEL_FLAGS := $(ARCH_FLAGS) -std=c17 -ffreestanding -nostdlibinc -O2 -g -fno-strict-aliasing \
                -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
                -ffile-prefix-map=$(CURDIR)/= -Iinclude -iquote kernel -iquote $(ARCH)

# The addresses have one source, boot.h.
KERNEL_BASE := $(shell sed -n 's/^.define LIMEN_KERNEL_BASE *\(0x[0-9a-f]*\)ull.*/\1/p' \
                       include/limen/boot.h)
KERNEL_LDFLAGS := -nostdlib -static --no-pie --build-id=none \
                  -z max-page-size=4096 -z noexecstack --defsym=kernel_base=$(KERNEL_BASE) \
                  -T $(ARCH)/link.ld

CONSOLE_FONT := /usr/share/consolefonts/Lat15-Terminus16.psf.gz

$(BUILD)/font.psf: $(CONSOLE_FONT)
	@mkdir -p $(@D)
	gunzip -c $< > $@

$(BUILD)/font.o: $(BUILD)/font.psf
	printf '.section .rodata.font, "a"\n.globl console_font\nconsole_font: .incbin "$<"\n' | \
	  $(CC) $(ARCH_FLAGS) -x assembler -c - -o $@

# -- unit tests, on the host, of what needs no processor, or one that the test can be --

ARCH_UNIT_PROGRAMS := $(addprefix $(BUILD)/test/unit/arch_,cycles paging)

.PHONY: unit-arch
unit-arch: $(ARCH_UNIT_PROGRAMS)
	@set -e; for program in $^; do $$program; done

$(BUILD)/test/unit/arch_cycles: $(ARCH)/cycles.h $(ARCH)/instructions.h
$(BUILD)/test/unit/arch_paging: $(ARCH)/paging.c $(wildcard $(ARCH)/*.h kernel/*.h include/limen/*.h)
$(ARCH_UNIT_PROGRAMS): $(BUILD)/test/unit/%: test/unit/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -g -O1 $(WARNINGS) -fno-strict-aliasing \
	  -fsanitize=address,undefined -fno-sanitize-recover=all $(KERNEL_WITH_CHECKS) -Iinclude \
	  -iquote kernel -iquote $(ARCH) -iquote test/unit $(filter %.c,$^) -lcmocka -o $@
