# SPDX-License-Identifier: MIT
# Limen with one server more, which does what the boot option mischief= says (docs/testing.md).

$(eval $(call server,mischief,test/servers/mischief))
$(eval $(call boot_archive,$(BUILD)/test/servers/boot.cpio,test/servers/manifest.toml))
$(eval $(call other_image,$(BUILD)/test/servers,$(BUILD)/check/kernel.elf))

TEST_FILES += $(BUILD)/test/servers/limen.img

# A copy of the sources in which `make new-server` was run, built and put on a disk.
NEW_SERVER := $(BUILD)/test/new-server

$(NEW_SERVER)/limen.img: $(BUILD)/check/kernel.elf $(BUILD)/BOOTX64.EFI $(BUILD)/boot.cpio \
    servers/new_server.py $(wildcard servers/lib/template/*) ovmf/image.py
	rm -rf $(NEW_SERVER)/tree
	mkdir -p $(NEW_SERVER)/tree/build
	git ls-files -co --exclude-standard | cpio -pdm --quiet $(NEW_SERVER)/tree
	touch $(NEW_SERVER)/tree/build/packages.stamp
	$(MAKE) -s -C $(NEW_SERVER)/tree new-server NAME=hello
	$(MAKE) -s -C $(NEW_SERVER)/tree build/boot.cpio build/servers/init.elf
	ovmf/image.py $@ EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$< \
	  limen/init.elf=$(NEW_SERVER)/tree/build/servers/init.elf \
	  limen/boot.cpio=$(NEW_SERVER)/tree/build/boot.cpio

TEST_FILES += $(NEW_SERVER)/limen.img
