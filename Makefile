# SPDX-License-Identifier: MIT
# Limen's build.  Each room of the house describes its own part in ROOM/build.mk.
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
.DELETE_ON_ERROR:
.SECONDEXPANSION:
SHELL := /bin/bash
BUILD := build
PYTHON := /usr/bin/python3
CC := clang
LD := ld.lld

# Python's compiled modules are build output too.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(BUILD)/pycache

## Build everything: kernel, loader, servers and the disk image.
.PHONY: all
all:

# Warnings that every C file of the project compiles without.
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wimplicit-fallthrough \
            -Wunreachable-code -Wconditional-uninitialized

## 1: show the commands that make runs, not only what they make.
V ?= 0
# A line for each file made: the shell that runs its recipe is looked up by saying so.  setup.sh says
# for itself what it does, and not on the standard output, which make run leaves to the guest.
ifneq ($(V),1)
.SILENT:
SAID :=
SHELL = $(if $(filter-out $(SAID) %/packages.stamp,$(filter $(BUILD)/%,$@)),$(eval SAID := $@)$(info $@))/bin/bash
endif

# Make on as many processors as there are, unless told how many.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# Everything but these two needs the packages of packages.txt, so the stamp that says they are there
# is read as a makefile: make brings it up to date before it looks at anything else.
ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/packages.stamp
endif
$(BUILD)/packages.stamp: setup.sh packages.txt
	@./setup.sh $@

include arch/x86_64/build.mk kernel/build.mk efi/build.mk servers/build.mk ovmf/build.mk \
        test/build.mk

## Remove build/, where all output goes.
.PHONY: clean
clean:
	rm -rf $(BUILD)

## Explain every target and variable.
# Made from the comments that begin with ## above targets and variables, here and in the rooms.
.PHONY: help
help:
	@awk -f ovmf/help.awk Makefile $(wildcard */build.mk */*/build.mk)
