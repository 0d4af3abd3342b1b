# SPDX-License-Identifier: MIT
# The tests.  test/tests.toml declares each of them.

# What must be built before tests can run; the rooms add theirs.
TEST_FILES := $(BUILD)/limen.img $(BUILD)/check/limen.img

## A regular expression: make test runs only the tests whose names match.
ONLY ?=

## Run every test; the last line counts them.
.PHONY: test
test:
	@$(MAKE) --no-print-directory test-files
	@test/run.py --only '$(ONLY)'

.PHONY: test-files
test-files: $(TEST_FILES)
	@:

## Measure, print the figures beside those recorded of other kernels, and write build/bench.json.
.PHONY: bench
bench:
	@$(MAKE) --no-print-directory bench-files >&2
	@test/bench/bench.py

.PHONY: bench-files
bench-files: $(BUILD)/limen.img $(BUILD)/check/limen.img $(BUILD)/ovmf/park.img
	@:
