# SPDX-License-Identifier: MIT
# The loader, BOOTX64.EFI, and the host's tests of its parsers.

EFI_HEADERS := -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI

# Parsers and builders that ask no firmware anything; they are tested on the host.
EFI_PORTABLE := elf cpio memory tables space text machine fw_cfg_find
EFI_SOURCES := $(EFI_PORTABLE:%=efi/%.c) efi/main.c efi/console.c efi/facts.c efi/files.c \
               efi/firmware_memory.c efi/fw_cfg.c efi/handover.c efi/libc/string.c
EFI_OBJECTS := $(EFI_SOURCES:%.c=$(BUILD)/%.obj)
EFI_CFLAGS := --target=x86_64-unknown-windows -std=c17 -O2 -ffreestanding -fshort-wchar \
              -mno-red-zone -mno-stack-arg-probe -fno-stack-protector -Iinclude -isystem efi/libc \
              $(EFI_HEADERS) $(WARNINGS)

all: $(BUILD)/BOOTX64.EFI

# /Brepro keeps the time of day out of the image: the same sources give the same bytes.
$(BUILD)/BOOTX64.EFI: $(EFI_OBJECTS)
	lld-link /subsystem:efi_application /entry:efi_main /nodefaultlib /Brepro /out:$@ $^

$(BUILD)/efi/libc/string.obj: EFI_CFLAGS += -fno-builtin

$(BUILD)/efi/%.obj: efi/%.c efi/build.mk Makefile
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

-include $(EFI_OBJECTS:.obj=.d)

# -- unit tests, on the host --

EFI_UNIT_TESTS := elf cpio memory space machine
EFI_HOST_CFLAGS := -std=c17 -g -O1 -Iinclude $(EFI_HEADERS) $(WARNINGS) \
                   -fsanitize=address,undefined -fno-sanitize-recover=all
EFI_UNIT_PROGRAMS := $(EFI_UNIT_TESTS:%=$(BUILD)/test/unit/efi_%)
EFI_HOST_SOURCES := $(EFI_PORTABLE:%=efi/%.c)

.PHONY: unit-efi
unit-efi: $(EFI_UNIT_PROGRAMS)
	@status=0; for program in $^; do $$program || status=1; done; exit $$status

$(EFI_UNIT_PROGRAMS): $(BUILD)/test/unit/%: test/unit/%.c $(EFI_HOST_SOURCES) $(wildcard efi/*.h) \
                      test/unit/efi_fixtures.h test/unit/efi_cmocka.h efi/build.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_HOST_CFLAGS) -o $@ $< $(EFI_HOST_SOURCES) -lcmocka
