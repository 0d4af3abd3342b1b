# SPDX-License-Identifier: MIT
# Limen with servers that are killed again and again, under load (docs/supervision.md).

$(eval $(call server,actor,test/kills/actor))
$(eval $(call boot_archive,$(BUILD)/test/kills/boot.cpio,test/kills/manifest.toml))

$(BUILD)/test/kills/limen.img: $(BUILD)/check/kernel.elf $(BUILD)/BOOTX64.EFI \
    $(BUILD)/servers/init.elf $(BUILD)/test/kills/boot.cpio ovmf/image.py
	ovmf/image.py $@ EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$< \
	  limen/init.elf=$(BUILD)/servers/init.elf limen/boot.cpio=$(BUILD)/test/kills/boot.cpio

TEST_FILES += $(BUILD)/test/kills/limen.img

.PHONY: kills-files
kills-files: $(BUILD)/test/kills/limen.img $(BUILD)/ovmf/park.img
	@:
