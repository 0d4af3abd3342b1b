# SPDX-License-Identifier: MIT
# The kernel's portable half, compiled for this host with a stand-in for the processor's half
# (test/unit/host/), and a program of tests for each part of it.
#
# The frame-pointer chain is for the sanitizers' reports.

UNIT_KERNEL := $(BUILD)/test/unit
UNIT_KERNEL_FLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                     -fno-sanitize-recover=all -D_GNU_SOURCE $(KERNEL_WITH_CHECKS) \
                     -Itest/unit/host -Itest/check -Ikernel -Iinclude
UNIT_KERNEL_SOURCES := $(wildcard kernel/*.c test/unit/host/*.c test/check/*.c)
UNIT_KERNEL_TESTS := $(wildcard test/unit/kernel_*.c)
UNIT_KERNEL_OBJECTS := $(UNIT_KERNEL_SOURCES:%.c=$(UNIT_KERNEL)/%.o)
UNIT_KERNEL_PROGRAMS := $(UNIT_KERNEL_TESTS:test/unit/%.c=$(UNIT_KERNEL)/%)

$(UNIT_KERNEL)/%.o: %.c test/unit/kernel.mk
	@mkdir -p $(@D)
	$(CC) $(UNIT_KERNEL_FLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

$(UNIT_KERNEL_PROGRAMS): $(UNIT_KERNEL)/%: $(UNIT_KERNEL)/test/unit/%.o $(UNIT_KERNEL_OBJECTS)
	$(CC) $(UNIT_KERNEL_FLAGS) -o $@ $^ -lcmocka

-include $(UNIT_KERNEL_OBJECTS:.o=.d) $(UNIT_KERNEL_TESTS:%.c=$(UNIT_KERNEL)/%.d)

TEST_FILES += $(UNIT_KERNEL_PROGRAMS)

.PHONY: unit-kernel
unit-kernel: $(UNIT_KERNEL_PROGRAMS)
	@status=0; for program in $^; do $$program || status=1; done; exit $$status
