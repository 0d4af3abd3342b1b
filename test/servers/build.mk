# SPDX-License-Identifier: MIT
# Limen with one server more, which does what the boot option mischief= says (docs/testing.md).

$(eval $(call server,mischief,test/servers/mischief))
$(eval $(call boot_archive,$(BUILD)/test/servers/boot.cpio,test/servers/manifest.toml))

$(BUILD)/test/servers/limen.img: $(BUILD)/check/kernel.elf $(BUILD)/BOOTX64.EFI \
    $(BUILD)/servers/init.elf $(BUILD)/test/servers/boot.cpio ovmf/image.py
	ovmf/image.py $@ EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$< \
	  limen/init.elf=$(BUILD)/servers/init.elf limen/boot.cpio=$(BUILD)/test/servers/boot.cpio

TEST_FILES += $(BUILD)/test/servers/limen.img
