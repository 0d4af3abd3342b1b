# SPDX-License-Identifier: MIT
# The tests.  test/tests.toml declares each of them.

# What must be built before tests can run.
TEST_FILES := $(BUILD)/limen.img $(BUILD)/check/limen.img $(BUILD)/ovmf/park.img \
              $(EFI_UNIT_PROGRAMS)

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
