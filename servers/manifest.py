#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compiles a manifest, which says what servers init starts and what each may do.

Used by archive.py.  Numbers and sizes come from include/limen/manifest.h and environment.h, so that
they are written down once.  docs/servers.md explains the keys to those who write manifests.
"""

import pathlib
import re
import struct
import tomllib

INCLUDE = pathlib.Path(__file__).resolve().parents[1] / "include/limen"
NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")
SIZE = re.compile(r"([1-9][0-9]*)([KM])\Z")
DURATION = re.compile(r"([1-9][0-9]*)(us|ms)\Z")
RANGE = re.compile(r"(0x[0-9a-f]+|[0-9]+)(?:-(0x[0-9a-f]+|[0-9]+))?\Z", re.IGNORECASE)
RESTART = {"never": "LIMEN_RESTART_NEVER", "on-fault": "LIMEN_RESTART_ON_FAULT",
           "always": "LIMEN_RESTART_ALWAYS"}
KERNEL = {"log": "LIMEN_KERNEL_GRANT_LOG", "counters": "LIMEN_KERNEL_GRANT_COUNTERS",
          "control": "LIMEN_KERNEL_GRANT_CONTROL"}
PORT_MAX = 0xFFFF
INTERRUPT_MAX = 255
# The top bit of a server's notification is LIMEN_NOTIFICATION_LOG.
INTERRUPTS_MAX = 63


class ManifestError(Exception):
    """A mistake in a manifest, with file and line."""


def header_constants():
    """Every number that the manifest's headers define, by name."""
    constants = {}
    for name in ("init.h", "environment.h", "manifest.h"):
        text = (INCLUDE / name).read_text()
        for match in re.finditer(r"#define (LIMEN_\w+)\s+(0x[0-9a-f]+|\d+)u?\b", text):
            constants[match[1]] = int(match[2], 0)
        for match in re.finditer(r"^\s+(LIMEN_\w+) = (\d+),", text, re.MULTILINE):
            constants[match[1]] = int(match[2])
        for match in re.finditer(r'#define (LIMEN_\w+)\s+"([^"]*)"', text):
            constants[match[1]] = match[2]
    return constants


C = header_constants()


class Grant:
    """One capability that a server is given."""

    def __init__(self, name, kind, first=0, last=0):
        self.name = name
        self.kind = C[kind]
        self.first = first
        self.last = last

    def pack(self):
        """As struct limen_manifest_grant."""
        packed = struct.pack(f"<{C['LIMEN_NAME_MAX']}sIIQQ", self.name.encode(), self.kind, 0,
                             self.first, self.last)
        assert len(packed) == C["LIMEN_MANIFEST_GRANT_SIZE"]
        return packed


class Server:
    """One table of the manifest, checked as far as it stands alone."""

    KEYS = {"binary", "priority", "memory", "ports", "interrupts", "provides", "services", "kernel",
            "arguments", "restart", "state", "budget", "period"}

    def __init__(self, manifest, name, table):
        self.manifest = manifest
        self.name = name
        if not isinstance(table, dict):
            raise manifest.error(None, name, f"{name} is not the table of a server")
        for key in table:
            if key not in self.KEYS:
                raise self.error(key, f"unknown key {key}; known are "
                                 + ", ".join(sorted(self.KEYS)))
        self.table = table
        self.check_name(None, name)
        self.binary = self.value("binary", str, name)
        if len(self.binary.encode()) >= C["LIMEN_MANIFEST_BINARY_MAX"]:
            raise self.error("binary", f'binary = "{self.binary}" is too long a name')
        self.priority = self.value("priority", int)
        if not 0 <= self.priority <= C["LIMEN_MANIFEST_PRIORITY_MAX"]:
            raise self.error("priority", f"priority {self.priority} is not within 0 to "
                             f"{C['LIMEN_MANIFEST_PRIORITY_MAX']}")
        self.memory_order = self.read_size("memory", C["LIMEN_MANIFEST_MEMORY_MIN"],
                                           C["LIMEN_MANIFEST_MEMORY_MAX"])
        self.state_order = 0
        if "state" in table:
            self.state_order = self.read_size("state", C["LIMEN_MANIFEST_STATE_MIN"],
                                              C["LIMEN_MANIFEST_STATE_MAX"])
        self.budget, self.period = self.read_budget()
        self.restart = self.value("restart", str, "never")
        if self.restart not in RESTART:
            raise self.error("restart", f'restart = "{self.restart}" is none of '
                             + ", ".join(RESTART))
        self.arguments = b"".join(a.encode() + b"\0" for a in self.strings("arguments"))
        if len(self.arguments) > C["LIMEN_ARGUMENTS_MAX"]:
            raise self.error("arguments", f"arguments take {len(self.arguments)} bytes; there is "
                             f"room for {C['LIMEN_ARGUMENTS_MAX']}")
        self.ports = self.read_ports()
        self.interrupts = self.read_interrupts()
        self.provides = self.value("provides", str, None)
        self.services = self.strings("services")
        self.kernel = self.strings("kernel")
        self.grants = self.read_grants()

    def error(self, key, text):
        """A ManifestError at one of the server's keys, or at its head."""
        return self.manifest.error(self.name, key, f"server {self.name}: {text}")

    def check_name(self, key, name):
        """Names are short enough for the structures, and easy to type."""
        if not NAME.match(name) or len(name) >= C["LIMEN_NAME_MAX"]:
            raise self.error(key, f'"{name}" is no name: want a lower-case letter, then letters, '
                             f"digits, _ or -, at most {C['LIMEN_NAME_MAX'] - 1} in all")

    def value(self, key, kind, *default):
        """The value of a key, of the right type."""
        if key not in self.table:
            if default:
                return default[0]
            raise self.error(None, f"the key {key} is missing")
        value = self.table[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(key, f"{key} is not of type {kind.__name__}")
        return value

    def strings(self, key):
        """The value of a key that is a list of strings, none twice."""
        values = self.value(key, list, [])
        if not all(isinstance(value, str) and "\0" not in value for value in values):
            raise self.error(key, f"{key} is not a list of strings")
        if key != "arguments" and len(set(values)) != len(values):
            raise self.error(key, f"{key} names something twice")
        return values

    def read_size(self, key, least, most):
        """The order of a size that is a power of two, from 2^least to 2^most bytes."""
        text = self.value(key, str)
        match = SIZE.match(text)
        size = int(match[1]) << {"K": 10, "M": 20}[match[2]] if match else 0
        order = size.bit_length() - 1
        if size == 0 or size != 1 << order or not least <= order <= most:
            raise self.error(key, f'{key} = "{text}" is not a power of two from '
                             f'"{(1 << least) >> 10}K" to "{(1 << most) >> 20}M"')
        return order

    def read_duration(self, key):
        """The microseconds that a key names."""
        text = self.value(key, str)
        match = DURATION.match(text)
        if not match:
            raise self.error(key, f'{key} = "{text}": want a time like "500us" or "10ms"')
        return int(match[1]) * {"us": 1, "ms": 1000}[match[2]]

    def read_budget(self):
        """The keys budget and period, which go together; 0 for both without them."""
        if "budget" not in self.table and "period" not in self.table:
            return 0, 0
        budget, period = self.read_duration("budget"), self.read_duration("period")
        least, most = C["LIMEN_MANIFEST_PERIOD_MIN"], C["LIMEN_MANIFEST_PERIOD_MAX"]
        if not least <= period <= most:
            raise self.error("period", f"the period is not within {least}us to {most // 1000}ms")
        if budget > period:
            raise self.error("budget", "the budget is longer than the period")
        return budget, period

    def read_ports(self):
        """The key ports, {name: (first, last)}."""
        ports = {}
        for name, text in self.value("ports", dict, {}).items():
            self.check_name("ports", name)
            match = RANGE.match(text) if isinstance(text, str) else None
            first = int(match[1], 0) if match else 1
            last = int(match[2], 0) if match and match[2] else first if match else 0
            if not first <= last <= PORT_MAX:
                raise self.error("ports", f'ports.{name}: want "first-last" within 0-0xffff')
            ports[name] = (first, last)
        return ports

    def read_interrupts(self):
        """The key interrupts, {name: line}."""
        interrupts = self.value("interrupts", dict, {})
        for name, line in interrupts.items():
            self.check_name("interrupts", name)
            if not isinstance(line, int) or not 0 <= line <= INTERRUPT_MAX:
                raise self.error("interrupts",
                                 f"interrupts.{name}: want a line from 0 to {INTERRUPT_MAX}")
        if len(interrupts) > INTERRUPTS_MAX:
            raise self.error("interrupts", f"more than {INTERRUPTS_MAX} interrupts")
        return interrupts

    def read_grants(self):
        """All grants, in the order in which init puts them into slots."""
        grants = [Grant(name, "LIMEN_GRANT_PORTS", first, last)
                  for name, (first, last) in self.ports.items()]
        grants += [Grant(name, "LIMEN_GRANT_INTERRUPT", line)
                   for name, line in self.interrupts.items()]
        if self.provides is not None:
            self.check_name("provides", self.provides)
            grants.append(Grant(self.provides, "LIMEN_GRANT_PROVIDES"))
        for service in self.services:
            self.check_name("services", service)
            grants.append(Grant(service, "LIMEN_GRANT_SERVICE"))
        for right in self.kernel:
            if right not in KERNEL:
                raise self.error("kernel", f'kernel = ["{right}"]: known are ' + ", ".join(KERNEL))
            grants.append(Grant(right, "LIMEN_GRANT_KERNEL", C[KERNEL[right]]))
        if len(grants) > C["LIMEN_GRANTS_MAX"]:
            raise self.error(None, f"{len(grants)} grants; a server can have "
                             f"{C['LIMEN_GRANTS_MAX']}")
        return grants

    def pack(self):
        """As struct limen_manifest_server."""
        grants = b"".join(grant.pack() for grant in self.grants)
        packed = struct.pack(
            f"<{C['LIMEN_NAME_MAX']}s{C['LIMEN_MANIFEST_BINARY_MAX']}sBBBBHBBII"
            f"{C['LIMEN_ARGUMENTS_MAX']}s{C['LIMEN_GRANTS_MAX'] * C['LIMEN_MANIFEST_GRANT_SIZE']}s",
            self.name.encode(), self.binary.encode(), self.priority, C[RESTART[self.restart]],
            self.memory_order, len(self.grants), self.arguments.count(b"\0"), self.state_order, 0,
            self.budget, self.period, self.arguments, grants)
        assert len(packed) == C["LIMEN_MANIFEST_SERVER_SIZE"]
        return packed


class Manifest:
    """A whole manifest, read and checked."""

    def __init__(self, path):
        self.path = path
        try:
            self.text = pathlib.Path(path).read_text(encoding="utf-8")
            tables = tomllib.loads(self.text)
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(f"{path}: {error}") from error
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\(at line (\d+)", str(error))
            raise ManifestError(f"{path}:{place[1] if place else 1}: {error}") from error
        self.servers = [Server(self, name, table) for name, table in tables.items()]
        if not self.servers:
            raise self.error(None, None, "no servers")
        if len(self.servers) > C["LIMEN_MANIFEST_SERVERS_MAX"]:
            raise self.error(None, None, f"more than {C['LIMEN_MANIFEST_SERVERS_MAX']} servers")
        self.check_owners()
        self.check_services()

    def error(self, table, key, text):
        """A ManifestError at a key of a table, at the table's head, or at the top."""
        return ManifestError(f"{self.path}:{self.line_of(table, key)}: {text}")

    def line_of(self, table, key):
        """The line where a key of a table stands; the nearest line above where it is not found."""
        current, head = None, 1
        for number, line in enumerate(self.text.splitlines(), 1):
            opened = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
            if opened:
                current = opened[1].strip("\"'").split(".")[0]
                inner = opened[1].split(".")[1:2]
                if current == table:
                    head = number if head == 1 else head
                    if key is not None and inner == [key]:
                        return number
            elif current == table and key is not None and \
                    re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                return number
        return head

    def check_owners(self):
        """A port and an interrupt line belong to one server at most."""
        ports, lines = [], {}
        for server in self.servers:
            for name, (first, last) in server.ports.items():
                for owner, other_first, other_last in ports:
                    if first <= other_last and other_first <= last:
                        raise server.error("ports", f"ports.{name}: {owner} has port "
                                           f"{max(first, other_first):#x} already")
                ports.append((f"server {server.name}", first, last))
            for name, line in server.interrupts.items():
                if line in lines:
                    raise server.error("interrupts", f"interrupts.{name}: server {lines[line]} has "
                                       f"interrupt {line} already")
                lines[line] = server.name

    def check_services(self):
        """Every service has one provider, and no chain of calls can close."""
        providers = {service: None for service in C["LIMEN_MANIFEST_INIT_SERVICES"].split()}
        for server in self.servers:
            if server.provides in providers:
                owner = providers[server.provides]
                raise server.error("provides", f"service {server.provides} is provided by "
                                   f"{f'server {owner.name}' if owner else 'init'} already")
            if server.provides is not None:
                providers[server.provides] = server
        for server in self.servers:
            for service in server.services:
                if service not in providers:
                    raise server.error("services", f"unknown service {service}; known are "
                                       + ", ".join(sorted(providers)))
        for server in self.servers:
            self.check_cycle(server, providers, [])

    def check_cycle(self, server, providers, path):
        """Servers that wait for each other in a circle would wait for ever."""
        if server in path:
            names = " -> ".join(s.name for s in path[path.index(server):] + [server])
            raise server.error("services", f"servers call each other in a circle: {names}")
        for service in server.services:
            if providers[service] is not None:
                self.check_cycle(providers[service], providers, path + [server])

    def check_binaries(self, names):
        """Every binary is among those that were built."""
        for server in self.servers:
            if server.binary not in names:
                raise server.error("binary", f"there is no binary {server.binary}; built were "
                                   + ", ".join(sorted(names)))

    def pack(self):
        """The compiled manifest."""
        header = struct.pack("<IIII", C["LIMEN_MANIFEST_MAGIC"], C["LIMEN_MANIFEST_VERSION"],
                             len(self.servers), C["LIMEN_MANIFEST_SERVER_SIZE"])
        assert len(header) == C["LIMEN_MANIFEST_HEADER_SIZE"]
        return header + b"".join(server.pack() for server in self.servers)
