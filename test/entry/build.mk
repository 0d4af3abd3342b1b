# SPDX-License-Identifier: MIT
# What the injector disturbs: a guest of paths through the kernel (docs/injection.md), with the kit of
# the guest's tests.

ENTRY_KIT := kit.c runner.c registers.c victim.c registers.S snippets.S
ENTRY_OBJECTS := $(patsubst test/entry/%,$(BUILD)/test/entry/%.o,$(wildcard test/entry/*.c test/entry/*.S)) \
                 $(ENTRY_KIT:%=$(BUILD)/test/boot/%.o)

$(BUILD)/test/entry/%.c.o: test/entry/%.c $(PROTOCOL_HEADERS) servers/build.mk test/entry/build.mk
	@mkdir -p $(@D)
	$(CC) $(SERVER_CFLAGS) -iquote test/boot -MMD -c -o $@ $<

$(BUILD)/test/entry/%.S.o: test/entry/%.S test/entry/build.mk
	@mkdir -p $(@D)
	$(CC) --target=x86_64-unknown-none-elf -g -Iinclude -MMD -c -o $@ $<

$(BUILD)/test/entry/paths.elf: $(ENTRY_OBJECTS) $(RUNTIME)
	$(LD) $(SERVER_LDFLAGS) -o $@ $^

-include $(ENTRY_OBJECTS:.o=.d)

# The same disk as Limen's own but for init.
ENTRY_FILES = EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$(1) \
              limen/init.elf=$(BUILD)/test/entry/paths.elf limen/boot.cpio=$(BUILD)/boot.cpio

$(BUILD)/test/entry.img $(BUILD)/test/check/entry.img: $(BUILD)/test/%entry.img: \
    $(BUILD)/%kernel.elf $(BUILD)/BOOTX64.EFI $(BUILD)/test/entry/paths.elf $(BUILD)/boot.cpio \
    ovmf/image.py
	ovmf/image.py $@ $(call ENTRY_FILES,$<)

TEST_FILES += $(BUILD)/test/entry.img $(BUILD)/test/check/entry.img

## Inject NMI, #DB and #MC at every instruction boundary of the ways into the kernel and out of it,
## with and without its checks, and print how many were survived.
.PHONY: inject
inject:
	@$(SUBMAKE) entry-files >&2
	@test/entry/inject.py --table
	@test/entry/inject.py --table --check

## Storm the kernel with NMIs while ring 3 enters it 10 million times, and compare all results; and
## kill servers of seven kinds 10,000 times under load.
.PHONY: storm
storm:
	@$(SUBMAKE) entry-files kills-files >&2
	@test/entry/storm.py
	@test/kills/kills.py 1000 1 10

.PHONY: entry-files
entry-files: $(BUILD)/test/entry.img $(BUILD)/test/check/entry.img $(BUILD)/ovmf/park.img
	@:
