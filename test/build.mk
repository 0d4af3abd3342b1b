# SPDX-License-Identifier: MIT
# The tests.  test/tests.toml declares each of them.

# What must be built before tests can run.
TEST_FILES := $(BUILD)/limen.img $(BUILD)/check/limen.img $(BUILD)/measure/limen.img $(BUILD)/ovmf/park.img \
              $(EFI_UNIT_PROGRAMS) $(ARCH_UNIT_PROGRAMS) $(EFI_FUZZ_PROGRAMS) \
              $(BUILD)/test/fuzz/efi_seeds $(BUILD)/test/bench/32M/limen.img
include test/unit/kernel.mk test/unit/servers.mk test/servers/build.mk test/kills/build.mk

include test/boot/build.mk test/entry/build.mk test/bench/linux/build.mk

## A regular expression: make test runs only the tests whose names match.
ONLY ?=

## Run every test; the last line counts them.
.PHONY: test
test:
	@$(SUBMAKE) test-files
	@test/run.py --only '$(ONLY)'

## Run what guests can show of the processor on Bochs, a second model of it.
.PHONY: test-bochs
test-bochs:
	@$(MAKE) --no-print-directory test-files
	@test/run.py --tests test/bochs.toml --only '$(ONLY)'

.PHONY: test-files
test-files: $(TEST_FILES)
	@:

## Seconds for which make fuzz runs each fuzzer.
FUZZ_SECONDS ?= 300

## Feed the loader's parsers with what nobody would write, and the kernel with calls that nobody would
## make, for longer than make test does.
.PHONY: fuzz
fuzz: fuzz-efi fuzz-calls

.PHONY: fuzz-calls
fuzz-calls: $(BUILD)/test/check/boot.img $(BUILD)/ovmf/park.img
	@test/fuzz/guest.py $(FUZZ_SECONDS)

# clang-tidy for the C files of each room, with the flags that the room is compiled with.
TIDY_ROOMS := arch kernel efi servers
TIDY_FLAGS_arch = $(KERNEL_FLAGS) $(KERNEL_WITH_CHECKS)
TIDY_FLAGS_kernel = $(TIDY_FLAGS_arch)
TIDY_FLAGS_efi = $(EFI_CFLAGS)
TIDY_FLAGS_servers = $(SERVER_CFLAGS)

.PHONY: $(TIDY_ROOMS:%=tidy-%)
$(TIDY_ROOMS:%=tidy-%): tidy-%: | $(PROTOCOL_HEADERS)
	@clang-tidy --quiet $(shell git ls-files -co --exclude-standard ':(glob)$*/**/*.c' ':!servers/lib/template') -- $(TIDY_FLAGS_$*)

## make bench also shows what moved since this file, a bench.json of an earlier run.
BASE ?=

## Measure Limen and, beside it, Linux; print the table, and write build/bench.json and build/bench.html.
.PHONY: bench
bench:
	@$(SUBMAKE) bench-files $(BUILD)/linux/initramfs.cpio >&2
	@BASE='$(BASE)' test/bench/bench.py

.PHONY: bench-files
bench-files: $(BUILD)/limen.img $(BUILD)/measure/limen.img $(BUILD)/ovmf/park.img \
             $(BUILD)/test/bench/512M/limen.img
	@:

# The released system but for what the bench server is granted: room for many threads and
# capabilities, as much as a machine of 256 MiB has, and more.
BENCH_MEMORY := 32M 512M

$(BENCH_MEMORY:%=$(BUILD)/test/bench/%/manifest.toml): $(BUILD)/test/bench/%/manifest.toml: servers/manifest.toml
	@mkdir -p $(@D)
	sed '/^\[bench]/,/^memory/ s/^memory = .*/memory = "$*"/' $< > $@

$(foreach size,$(BENCH_MEMORY),$(eval $(call boot_archive,$(BUILD)/test/bench/$(size)/boot.cpio,$(BUILD)/test/bench/$(size)/manifest.toml)))

$(foreach size,$(BENCH_MEMORY),$(eval $(call other_image,$(BUILD)/test/bench/$(size),$(BUILD)/kernel.elf)))

## The operation of the benchmark that make profile shows.
OP ?= ipc_roundtrip_0

## Show each instruction of one operation with its line of source, and how many each function has:
## make profile OP=ipc_roundtrip_0
.PHONY: profile
profile:
	@$(SUBMAKE) bench-files >&2
	@test/bench/profile.py '$(OP)'

## Record in test/bench/counts.toml how many instructions each operation has now.
.PHONY: bench-accept
bench-accept:
	@$(SUBMAKE) bench-files >&2
	@test/bench/counts.py --accept

## Break each invariant of the threshold in a kernel of its own, and show who notices.
.PHONY: mutants
mutants:
	@$(SUBMAKE) all test-files >&2
	@test/mutants/mutants.py
