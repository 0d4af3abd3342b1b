# SPDX-License-Identifier: MIT
# The kernel's image, three times: build/kernel.elf, build/check/kernel.elf with every assertion in, and
# build/measure/kernel.elf, which is the first but that it knows how long interrupts were off.
#
# It is linked first without a symbol table, then with the one made from that first link; the table
# lies last in the image, and the build proves that nothing moved.
KERNEL_SOURCES := $(wildcard kernel/*.c) $(ARCH_SOURCES)

# The kernel with checks tests the threshold at every entry and exit, and can be asked to look all of its
# data over (LIMEN_KERNEL_CHECK).
KERNEL_CHECK_SOURCES := $(wildcard test/check/*.c test/check/guest/*.c)

# The shortest paths: a frame-pointer record of their own would be a tenth of them.
FRAMELESS := $(addprefix kernel/,fast_path invoke notification scheduler space syscall) $(ARCH)/paging

# What the image is checked by, and what those checks allow.
IMAGE_CHECKS := $(wildcard test/image/*)
CHECK_IMAGE := test/image/check.py

# $(1) directory, $(2) options, $(3) sources
define kernel_image
$(1)/kernel/%.o: kernel/%.c
	@mkdir -p $$(@D)
	$(CC) $$(KERNEL_FLAGS) $(WARNINGS) $(2) -MMD -MP -c $$< -o $$@

$(1)/$(ARCH)/%.o: $(ARCH)/%.c
	@mkdir -p $$(@D)
	$(CC) $$(KERNEL_FLAGS) $(WARNINGS) $(2) -MMD -MP -c $$< -o $$@

$(1)/$(ARCH)/%.o: $(ARCH)/%.S
	@mkdir -p $$(@D)
	$(CC) $(ARCH_FLAGS) -g -fdebug-compilation-dir=. $(2) -Iinclude -MMD -MP -c $$< -o $$@

$(1)/test/check/%.o: test/check/%.c
	@mkdir -p $$(@D)
	$(CC) $(KERNEL_FLAGS) -iquote test/check -Itest/check/guest $(WARNINGS) $(2) -MMD -MP \
	  -c $$< -o $$@

$(FRAMELESS:%=$(1)/%.o): KERNEL_FLAGS += -momit-leaf-frame-pointer

$(1)/kernel-nosymbols.elf: $(patsubst %,$(1)/%.o,$(basename $(3))) $(BUILD)/font.o \
                           $(ARCH)/link.ld
	$(LD) $(KERNEL_LDFLAGS) $$(filter %.o,$$^) -o $$@

$(1)/symbols.o: $(1)/kernel-nosymbols.elf $(ARCH)/symbols.py
	llvm-nm $$< > $(1)/symbols.before
	$(PYTHON) $(ARCH)/symbols.py table $(1)/symbols.before > $(1)/symbols.S
	$(CC) $(ARCH_FLAGS) -c $(1)/symbols.S -o $$@

$(1)/kernel.elf: $(1)/kernel-nosymbols.elf $(1)/symbols.o $(IMAGE_CHECKS)
	$(LD) $(KERNEL_LDFLAGS) $(patsubst %,$(1)/%.o,$(basename $(3))) \
	  $(BUILD)/font.o $(1)/symbols.o -o $$@
	llvm-nm $$@ > $(1)/symbols.after
	$(PYTHON) $(ARCH)/symbols.py compare $(1)/symbols.before $(1)/symbols.after
	$(CHECK_IMAGE) $$@

-include $(patsubst %,$(1)/%.d,$(basename $(3)))
endef

# LIMEN_CHECKS: assertions; LIMEN_MEASURE: time stamps where interrupts go off and on.
KERNEL_WITH_CHECKS := -DLIMEN_CHECKS=1 -DLIMEN_MEASURE=1
$(eval $(call kernel_image,$(BUILD),-DLIMEN_CHECKS=0 -DLIMEN_MEASURE=0,$(KERNEL_SOURCES)))
$(eval $(call kernel_image,$(BUILD)/check,$(KERNEL_WITH_CHECKS),$(KERNEL_SOURCES) $(KERNEL_CHECK_SOURCES)))
$(eval $(call kernel_image,$(BUILD)/measure,-DLIMEN_CHECKS=0 -DLIMEN_MEASURE=1,$(KERNEL_SOURCES)))

all: $(BUILD)/kernel.elf $(BUILD)/check/kernel.elf
