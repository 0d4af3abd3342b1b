# SPDX-License-Identifier: MIT
# The disk image, and the virtual machine that boots it.

IMAGE_FILES = EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$(1) \
              limen/init.elf=$(BUILD)/servers/init.elf limen/boot.cpio=$(BUILD)/boot.cpio
IMAGE_SOURCES := $(BUILD)/BOOTX64.EFI $(BUILD)/servers/init.elf $(BUILD)/boot.cpio ovmf/image.py

# The same with the kernel of the same room: build/ for releases, build/check/ with its checks on,
# build/measure/ with time stamps.
$(BUILD)/limen.img $(BUILD)/check/limen.img $(BUILD)/measure/limen.img: %/limen.img: %/kernel.elf $(IMAGE_SOURCES)
	ovmf/image.py $@ $(call IMAGE_FILES,$<)

# A system with a boot archive of its own, $(1)/boot.cpio, and the kernel $(2).
define other_image
$(1)/limen.img: $(2) $(BUILD)/BOOTX64.EFI $(BUILD)/servers/init.elf $(1)/boot.cpio ovmf/image.py
	ovmf/image.py $$@ EFI/BOOT/BOOTX64.EFI=$(BUILD)/BOOTX64.EFI limen/kernel.elf=$(2) \
	  limen/init.elf=$(BUILD)/servers/init.elf limen/boot.cpio=$(1)/boot.cpio
endef

all: $(BUILD)/limen.img

# A disk with the boot program that waits to be given another.
$(BUILD)/ovmf/park.img: $(BUILD)/ovmf/PARK.EFI ovmf/image.py
	ovmf/image.py $@ EFI/BOOT/BOOTX64.EFI=$<

$(BUILD)/ovmf/PARK.EFI: $(addprefix $(BUILD)/,ovmf/park.obj efi/fw_cfg.obj efi/fw_cfg_find.obj \
                                             efi/libc/string.obj)
	lld-link /subsystem:efi_application /entry:efi_main /nodefaultlib /Brepro /out:$@ $^

$(BUILD)/ovmf/park.obj: ovmf/park.c efi/fw_cfg.h efi/build.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -iquote efi -c -o $@ $<

## Write build/limen.img, which boots in any UEFI machine:
## dd if=build/limen.img of=/dev/YOUR-USB-STICK bs=1M conv=fsync
.PHONY: image
image: $(BUILD)/limen.img
	@echo $<

## How QEMU runs the guest: tcg (software) or kvm; empty: what works here.
ACCEL ?=
## QEMU's processor model.
CPU ?= max
## Processors.
SMP ?= 1
## Memory, in MiB.
MEM ?= 256
## QEMU's board: q35 or pc.
MACHINE ?= q35
## Graphics card: std, virtio or none.
GFX ?= std
## A line for Limen's shell; make run then ends with its status.
CMD ?=
## More words for the kernel's command line.
CMDLINE ?=
## Seconds that make run CMD=... may take.
TIMEOUT ?= 120
## 1: the kernel with its checks compiled in.
CHECKS ?= 0
## 1: start from a state saved after the firmware; 0.3 seconds for 4, after the first time.
FAST ?= 0
## 1: count instructions exactly: one tick of the TSC each.  Implies FAST=1.
ICOUNT ?= 0

export ACCEL CPU SMP MEM MACHINE GFX CMD CMDLINE TIMEOUT CHECKS FAST ICOUNT

# Building may print; what make run prints on its standard output is the guest's alone.
.PHONY: run-image
run-image: $(if $(filter 1,$(CHECKS)),$(BUILD)/check/limen.img,$(BUILD)/limen.img) $(BUILD)/ovmf/park.img
	@:

## Boot in QEMU with the serial console on this terminal; Ctrl-A x ends it.
## make run CMD='ps' runs that line, prints its output and ends with its status.
.PHONY: run
run:
	@$(SUBMAKE) run-image >&2
	@ovmf/run.py

## Open gdb on the machine that make run has running, or on a new one at its first instruction.
.PHONY: debug
debug:
	@$(SUBMAKE) run-image
	@ovmf/debug.py
