# SPDX-License-Identifier: MIT
# The loader, BOOTX64.EFI, and the host's tests of its parsers.

EFI_HEADERS := -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI

# Parsers and builders that ask no firmware anything; they are tested on the host.
EFI_PORTABLE := acpi elf cpio memory tables space text machine fw_cfg_find
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

EFI_UNIT_TESTS := acpi elf cpio memory space machine
EFI_HOST_CFLAGS := -std=c17 -g -O1 -Iinclude $(EFI_HEADERS) $(WARNINGS) \
                   -fsanitize=address,undefined -fno-sanitize-recover=all
EFI_UNIT_PROGRAMS := $(EFI_UNIT_TESTS:%=$(BUILD)/test/unit/efi_%)
EFI_HOST_SOURCES := $(EFI_PORTABLE:%=efi/%.c)

## Run the unit tests of the loader only.
.PHONY: unit-efi
unit-efi: $(EFI_UNIT_PROGRAMS)
	@status=0; for program in $^; do $$program || status=1; done; exit $$status

$(EFI_UNIT_PROGRAMS): $(BUILD)/test/unit/%: test/unit/%.c $(EFI_HOST_SOURCES) $(wildcard efi/*.h) \
                      test/unit/efi_fixtures.h test/unit/efi_cmocka.h efi/build.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_HOST_CFLAGS) -o $@ $< $(EFI_HOST_SOURCES) -lcmocka

# -- fuzzers --

EFI_FUZZERS := acpi elf cpio fw_cfg space
EFI_FUZZ_PROGRAMS := $(EFI_FUZZERS:%=$(BUILD)/test/fuzz/efi_%)
EFI_FUZZ_CORPUS := $(BUILD)/test/fuzz/corpus

## Fuzz the loader's parsers and its table builder.
.PHONY: fuzz-efi
fuzz-efi: $(EFI_FUZZ_PROGRAMS) $(BUILD)/test/fuzz/efi_seeds
	@mkdir -p $(EFI_FUZZERS:%=$(EFI_FUZZ_CORPUS)/%)
	@$(BUILD)/test/fuzz/efi_seeds $(EFI_FUZZ_CORPUS)/elf/seed $(EFI_FUZZ_CORPUS)/cpio/seed \
	    $(EFI_FUZZ_CORPUS)/acpi/seed
	@for name in $(EFI_FUZZERS); do \
	    echo "fuzzing efi $$name for $(FUZZ_SECONDS) s"; \
	    $(BUILD)/test/fuzz/efi_$$name -max_total_time=$(FUZZ_SECONDS) -seed=1 -max_len=16384 \
	        -timeout=10 -artifact_prefix=$(BUILD)/test/fuzz/$$name- -print_final_stats=1 \
	        $(EFI_FUZZ_CORPUS)/$$name >$(BUILD)/test/fuzz/$$name.log 2>&1 \
	    || { cat $(BUILD)/test/fuzz/$$name.log; exit 1; }; \
	    grep -E '^stat::number_of_executed_units' $(BUILD)/test/fuzz/$$name.log; \
	done

$(EFI_FUZZ_PROGRAMS): $(BUILD)/test/fuzz/%: test/fuzz/%.c test/fuzz/fuzz.h $(EFI_HOST_SOURCES) \
                      $(wildcard efi/*.h) efi/build.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_HOST_CFLAGS) -fsanitize=fuzzer -o $@ $< $(EFI_HOST_SOURCES)

$(BUILD)/test/fuzz/efi_seeds: test/fuzz/efi_seeds.c test/unit/efi_fixtures.h efi/build.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_HOST_CFLAGS) -o $@ $<
