# SPDX-License-Identifier: MIT
# The servers' portable parts on this host.  Their own string.h and stdio.h stay behind the host's.

UNIT_SERVERS := $(BUILD)/test/unit
UNIT_SERVERS_FLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                      -fno-sanitize-recover=all -Iinclude -I$(UNIT_SERVERS)/include \
                      -iquote servers -idirafter servers/lib/include

# Each program's test, the sources it tests, and flags of its own.
$(foreach program,format line terminal lives boot acpi restart measure protocol,\
  $(eval servers_$(program)_FLAGS :=))
servers_format_SOURCES := servers/lib/format.c servers/lib/option.c
servers_line_SOURCES := servers/console/line.c
servers_terminal_SOURCES := servers/console/terminal.c servers/console/output.c \
                            servers/console/line.c
servers_lives_FLAGS := -include test/unit/servers_commit.h
servers_lives_SOURCES := $(servers_terminal_SOURCES)
servers_boot_SOURCES := servers/init/cpio.c servers/init/elf.c servers/init/manifest.c \
                        servers/init/symbols.c
servers_acpi_SOURCES := servers/init/acpi.c
servers_restart_SOURCES := servers/init/restart.c
servers_measure_FLAGS := -Itest/bench/linux
servers_measure_SOURCES := servers/bench/measure.c
servers_protocol_SOURCES :=
UNIT_SERVERS_PROGRAMS := $(addprefix $(UNIT_SERVERS)/servers_,format line terminal lives boot acpi restart measure protocol)
UNIT_SERVERS_PROTOCOL := $(UNIT_SERVERS)/include/protocol/sample.h

$(UNIT_SERVERS_PROTOCOL): test/unit/sample.toml servers/lib/protocol.py include/limen/message.h
	$(PYTHON) servers/lib/protocol.py --headers $(@D) --pages $(UNIT_SERVERS)/pages $<

$(UNIT_SERVERS_PROGRAMS): $(UNIT_SERVERS)/%: test/unit/%.c $$($$*_SOURCES) $(UNIT_SERVERS_PROTOCOL) \
                          $(wildcard servers/*/*.h servers/lib/include/runtime/*.h include/limen/*.h) \
                          test/unit/servers.mk
	$(CC) $(UNIT_SERVERS_FLAGS) $(WARNINGS) $($*_FLAGS) -o $@ $(filter %.c,$^) -lcmocka

TEST_FILES += $(UNIT_SERVERS_PROGRAMS)

## Run the unit tests of the servers only.
.PHONY: unit-servers
unit-servers: $(UNIT_SERVERS_PROGRAMS) $(BUILD)/boot.cpio
	@set -e; for program in $(UNIT_SERVERS_PROGRAMS); do $$program; done
	@$(PYTHON) -m unittest discover -s test/unit -p 'test_servers_*.py'
