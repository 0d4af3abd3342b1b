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

.PHONY: all
all:

# Warnings that every C file of the project compiles without.
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wimplicit-fallthrough \
            -Wunreachable-code -Wconditional-uninitialized

include arch/x86_64/build.mk kernel/build.mk efi/build.mk servers/build.mk ovmf/build.mk test/build.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)
