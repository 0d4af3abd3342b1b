# SPDX-License-Identifier: MIT
# The Linux guest that make bench measures beside Limen: one static program, in an archive that the
# kernel unpacks into memory and starts it from.  The kernel itself is fetched by test/bench/linux.py.

LINUX_BENCH := $(BUILD)/linux
LINUX_BENCH_SOURCES := $(wildcard test/bench/linux/*.c) servers/bench/measure.c
LINUX_BENCH_CFLAGS := -std=c17 -D_GNU_SOURCE -O2 -static -Itest/bench/linux $(WARNINGS)

$(LINUX_BENCH)/root/init: $(LINUX_BENCH_SOURCES) $(wildcard test/bench/linux/*.h) servers/bench/measure.h servers/bench/words.h test/bench/linux/build.mk
	@mkdir -p $(@D)
	$(CC) $(LINUX_BENCH_CFLAGS) -Wl,--strip-all -o $@ $(LINUX_BENCH_SOURCES)

$(LINUX_BENCH)/initramfs.cpio: $(LINUX_BENCH)/root/init
	cd $(<D) && echo $(<F) | cpio --quiet --create --format=newc --file=../$(@F)
