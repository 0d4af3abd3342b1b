# SPDX-License-Identifier: MIT
# Limen with servers that are killed again and again, under load (docs/supervision.md).

$(eval $(call server,actor,test/kills/actor))
$(eval $(call boot_archive,$(BUILD)/test/kills/boot.cpio,test/kills/manifest.toml))
$(eval $(call other_image,$(BUILD)/test/kills,$(BUILD)/check/kernel.elf))

TEST_FILES += $(BUILD)/test/kills/limen.img

.PHONY: kills-files
kills-files: $(BUILD)/test/kills/limen.img $(BUILD)/ovmf/park.img
	@:
