# SPDX-License-Identifier: MIT
# The tests that run in the guest, in init's place (docs/testing.md).

BOOT_TESTS := $(BUILD)/test/boot/tests.elf
BOOT_TEST_OBJECTS := $(patsubst test/boot/%,$(BUILD)/test/boot/%.o,$(wildcard test/boot/*.c test/boot/*.S))

# What each call may answer, as a list.
BOOT_TEST_ERRORS := $(BUILD)/include/limen/errors_declared.h

$(BOOT_TEST_ERRORS): include/limen/errors.toml include/limen/objects.h test/errors.py
	@mkdir -p $(@D)
	test/errors.py --header $@

$(BUILD)/test/boot/%.c.o: test/boot/%.c $(PROTOCOL_HEADERS) $(BOOT_TEST_ERRORS) servers/build.mk test/boot/build.mk
	@mkdir -p $(@D)
	$(CC) $(SERVER_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/test/boot/%.S.o: test/boot/%.S test/boot/build.mk
	@mkdir -p $(@D)
	$(CC) --target=x86_64-unknown-none-elf -g -Iinclude -MMD -c -o $@ $<

$(BOOT_TESTS): $(BOOT_TEST_OBJECTS) $(RUNTIME)
	$(LD) $(SERVER_LDFLAGS) -o $@ $^

-include $(BOOT_TEST_OBJECTS:.o=.d)

# The same disk as Limen's own but for init.
BOOT_TEST_FILES = EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$(1) \
                  limen/init.elf=$(BOOT_TESTS) limen/boot.cpio=$(BUILD)/boot.cpio

$(BUILD)/test/boot.img $(BUILD)/test/check/boot.img $(BUILD)/test/measure/boot.img: $(BUILD)/test/%boot.img: \
    $(BUILD)/%kernel.elf $(BUILD)/BOOTX64.EFI $(BOOT_TESTS) $(BUILD)/boot.cpio ovmf/image.py
	ovmf/image.py $@ $(call BOOT_TEST_FILES,$<)

TEST_FILES += $(BUILD)/test/boot.img $(BUILD)/test/check/boot.img $(BUILD)/test/measure/boot.img
