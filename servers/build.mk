# SPDX-License-Identifier: MIT
# Ring 3: the runtime, the servers, and the boot archive that carries them.
#
# A folder servers/NAME with a build.mk is a server.  That build.mk is one line:
#     $(eval $(call server,NAME))
# and builds every .c file of the folder.  A server elsewhere names its folder: $(call server,NAME,DIRECTORY).

# A thread that never uses the extended registers has none to save and restore at each switch, so the
# compiler is not to use them for moving words about.
SERVER_CFLAGS := --target=x86_64-unknown-none-elf -std=c17 -O2 -g -ffreestanding -nostdlibinc \
                 -mgeneral-regs-only \
                 -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
                 -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer \
                 -ffunction-sections -fdata-sections $(WARNINGS) \
                 -ffile-prefix-map=$(CURDIR)/= \
                 -Iservers/lib/include -Iinclude -I$(BUILD)/include
# Each segment has pages and rights of its own; init refuses what is both writable and executable.
SERVER_LDFLAGS := -static --gc-sections --build-id=none --fatal-warnings \
                  -z max-page-size=4096 -z separate-loadable-segments -z noexecstack -z norelro

SERVERS :=
RUNTIME := $(BUILD)/servers/lib/runtime.a
RUNTIME_OBJECTS := $(patsubst servers/%.c,$(BUILD)/servers/%.o,$(wildcard servers/lib/*.c))
PROTOCOLS := $(sort $(wildcard include/limen/protocols/*.toml))
PROTOCOL_HEADERS := $(BUILD)/include/protocol/.made

$(PROTOCOL_HEADERS): servers/lib/protocol.py include/limen/message.h $(PROTOCOLS)
	$(PYTHON) $< --headers $(@D) --pages $(BUILD)/docs/protocols $(PROTOCOLS)
	touch $@

$(RUNTIME): $(RUNTIME_OBJECTS)
	rm -f $@
	llvm-ar rcsD $@ $^

$(RUNTIME_OBJECTS): $(BUILD)/servers/lib/%.o: servers/lib/%.c $(PROTOCOL_HEADERS) servers/build.mk
	@mkdir -p $(@D)
	$(CC) $(SERVER_CFLAGS) -MMD -c -o $@ $<

# Each server has addresses of its own, so that an address in a report or a debugger says whose it
# is.  They lie between LIMEN_SERVER_IMAGE and LIMEN_SERVER_HEAP (environment.h).
server_base = $(shell printf '0x%x' $$((0x400000 + 0x800000 * $(words $(SERVERS)))))

# $(call server,NAME[,DIRECTORY])
define server
$(1)_BASE := $(server_base)
SERVERS += $(1)
$(1)_OBJECTS := $$(patsubst %.c,$(BUILD)/servers/$(1)/%.o,$$(notdir $$(wildcard $(or $(value 2),servers/$(1))/*.c)))
$$($(1)_OBJECTS): $(BUILD)/servers/$(1)/%.o: $(or $(value 2),servers/$(1))/%.c $(PROTOCOL_HEADERS) servers/build.mk
	@mkdir -p $$(@D)
	$(CC) $(SERVER_CFLAGS) -MMD -c -o $$@ $$<
$(BUILD)/servers/$(1).elf: $$($(1)_OBJECTS) $(RUNTIME)
	$(LD) $(SERVER_LDFLAGS) --image-base=$$($(1)_BASE) -o $$@ $$^
-include $$($(1)_OBJECTS:.o=.d)
endef

$(BUILD)/servers/%.stripped: $(BUILD)/servers/%.elf
	llvm-objcopy --strip-all $< $@

# What init needs to name the functions of a backtrace: addresses and names, in order.
$(BUILD)/servers/%.sym: $(BUILD)/servers/%.elf
	llvm-nm --defined-only --numeric-sort $< | sed -n 's/^\([0-9a-f]*\) [tT] /\1 /p' > $@

# $(call boot_archive,FILE,MANIFEST): an archive of the servers that a manifest names.
define boot_archive
$(1): $(2) servers/archive.py servers/manifest.py include/limen/manifest.h include/limen/environment.h \
      $$$$(foreach name,$$$$(SERVERS),$(BUILD)/servers/$$$$(name).stripped $(BUILD)/servers/$$$$(name).sym)
	@mkdir -p $$(@D)
	$(PYTHON) servers/archive.py --manifest $(2) --output $$@ $$(filter %.stripped,$$^)
endef

include $(sort $(wildcard servers/*/build.mk))
-include $(RUNTIME_OBJECTS:.o=.d)

$(eval $(call boot_archive,$(BUILD)/boot.cpio,servers/manifest.toml))

## Build the servers and the boot archive alone.
.PHONY: servers
servers: $(BUILD)/boot.cpio $$(foreach name,$$(SERVERS),$(BUILD)/servers/$$(name).elf)

all: servers

## The name of the server that make new-server makes.
NAME ?=

## Make a new server that works: make new-server NAME=hello
.PHONY: new-server
new-server:
	@$(PYTHON) servers/new_server.py "$(NAME)"
