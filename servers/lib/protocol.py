#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Turns protocol declarations into C headers and their reference pages.

usage: protocol.py --headers DIRECTORY --pages DIRECTORY PROTOCOL.toml...

A declaration names a protocol's methods and what goes in and comes out of each:

    about = "Text to and from the person at the terminal."

    [read_line]
    about = "Waits for a line."
    in.prompt = "string 63"
    out.line = "string 255"

Types are "word" (64 bits), "string N" (at most N bytes, none of them zero) and "bytes N".  With
`retry = true` the client's function calls again when the server died before it answered.
"""

import argparse
import pathlib
import re
import sys
import tomllib
import zlib

MESSAGE_H = pathlib.Path(__file__).resolve().parents[2] / "include/limen/message.h"
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
TYPE = re.compile(r"(word)\Z|(string|bytes) ([1-9][0-9]*)\Z")
METHODS_MAX = 255
RESERVED = {"error", "handlers", "reader", "reply", "request", "service", "table", "words",
            "writer"}  # what the generated functions call their own variables
FAULT_LABELS = 0xF0000000  # limen/fault.h: labels that differ from this in the low byte alone


class ProtocolError(Exception):
    """A mistake in a declaration, with its place."""


def words_max():
    """The most words a message carries, from the header that says so."""
    return int(re.search(r"#define LIMEN_WORDS_MAX\s+(\d+)u", MESSAGE_H.read_text())[1])


class Field:
    """One argument or result."""

    def __init__(self, name, declared, prefix):
        match = TYPE.match(declared) if isinstance(declared, str) else None
        if not NAME.match(name) or not match:
            raise ProtocolError(
                f'{name} = "{declared}": want a name and "word", "string N" or "bytes N"')
        if name in RESERVED:
            raise ProtocolError(f"the generated code uses the name {name} itself: choose another")
        self.name = name
        self.kind = match[1] or match[2]
        self.limit = int(match[3] or 0)
        self.limit_name = f"{prefix}_{name}_MAX".upper()
        self.words = 1 if self.kind == "word" else 1 + (self.limit + 7) // 8

    def parameters(self, out):
        """How the field appears among a C function's parameters, going in or coming out."""
        if self.kind == "word":
            return [f"uint64_t {'*' if out else ''}{self.name}"]
        if self.kind == "string":
            return [f"char {self.name}[{self.limit_name} + 1]" if out
                    else f"const char *{self.name}"]
        if out:
            return [f"uint8_t {self.name}[{self.limit_name}]", f"size_t *{self.name}_size"]
        return [f"const void *{self.name}", f"size_t {self.name}_size"]

    def locals(self):
        """Variables that hold the field."""
        if self.kind == "word":
            return [f"uint64_t {self.name} = 0;"]
        if self.kind == "string":
            return [f"char {self.name}[{self.limit_name} + 1] = \"\";"]
        return [f"uint8_t {self.name}[{self.limit_name}];", f"size_t {self.name}_size = 0;"]

    def arguments(self, out):
        """How those variables are passed on."""
        if self.kind == "word":
            return [f"&{self.name}" if out else self.name]
        if self.kind == "string":
            return [self.name]
        return [self.name, f"&{self.name}_size" if out else f"{self.name}_size"]

    def too_long(self):
        """A condition that is true when the value does not fit, or None."""
        if self.kind == "word":
            return None
        if self.kind == "string":
            return f"strnlen({self.name}, {self.limit_name} + 1) > {self.limit_name}"
        return f"{self.name}_size > {self.limit_name}"

    def put(self):
        """The statement that appends the value to a message."""
        if self.kind == "word":
            return f"limen_put_word(&writer, {self.name});"
        if self.kind == "string":
            return f"limen_put_bytes(&writer, {self.name}, strlen({self.name}));"
        return f"limen_put_bytes(&writer, {self.name}, {self.name}_size);"

    def get(self, pointer):
        """The expression that takes the value from a message and is false when it is not there."""
        address = "" if pointer else "&"
        if self.kind == "word":
            return f"limen_get_word(&reader, {address}{self.name})"
        if self.kind == "string":
            return f"limen_get_string(&reader, {self.name}, {self.limit_name})"
        return (f"limen_get_bytes(&reader, {self.name}, {self.limit_name}, "
                f"{address}{self.name}_size)")

    def clear(self):
        """Statements that give a result a harmless value where none came."""
        if self.kind == "word":
            return f"*{self.name} = 0;"
        if self.kind == "string":
            return f"{self.name}[0] = '\\0';"
        return f"*{self.name}_size = 0;"


class Method:
    """One request and its answer."""

    def __init__(self, protocol, name, declared, number):
        if not isinstance(declared, dict) or not NAME.match(name):
            raise ProtocolError(f"[{name}] is not the table of a method")
        unknown = set(declared) - {"about", "in", "out", "retry"}
        if unknown:
            raise ProtocolError(f"unknown key {min(unknown)}; a method has about, in, out and "
                                "retry")
        if not isinstance(declared.get("about"), str):
            raise ProtocolError(f"method {name} lacks its line about = \"...\"")
        prefix = f"{protocol}_{name}"
        self.name = name
        self.function = prefix
        self.number = number
        self.about = declared["about"]
        self.retry = declared.get("retry", False)
        if not isinstance(self.retry, bool):
            raise ProtocolError(f"method {name}: retry is true or false")
        self.ins = [Field(key, value, prefix) for key, value in declared.get("in", {}).items()]
        self.outs = [Field(key, value, prefix) for key, value in declared.get("out", {}).items()]
        names = [field.name for field in self.ins + self.outs]
        if len(set(names)) != len(names):
            raise ProtocolError(f"method {name} has two values of one name")
        for what, fields in (("request", self.ins), ("answer", self.outs)):
            total = sum(field.words for field in fields)
            if total > words_max():
                raise ProtocolError(f"the {what} of {name} can take {total} words, "
                                    f"and a message carries {words_max()}")


class Protocol:
    """All that one file declares."""

    def __init__(self, path):
        self.name = path.stem
        self.path = path
        if self.name == "names":
            raise ProtocolError(f"{path}:1: names.h is the list of all protocols: choose another "
                                "name")
        text = path.read_text()
        try:
            declared = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ProtocolError(f"{path}: {error}") from error
        self.about = declared.pop("about", None)
        if not isinstance(self.about, str):
            raise ProtocolError(f"{path}:1: the protocol lacks its line about = \"...\"")
        if len(declared) > METHODS_MAX:
            raise ProtocolError(f"{path}:1: more than {METHODS_MAX} methods")
        self.label = zlib.crc32(self.name.encode()) & 0xFFFFFF00
        self.methods = []
        for number, (name, value) in enumerate(declared.items(), 1):
            try:
                self.methods.append(Method(self.name, name, value, number))
            except ProtocolError as error:
                raise ProtocolError(f"{path}:{line_of(text, name)}: {error}") from error


def line_of(text, table):
    """The line of a table's header, or 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith(f"[{table}]"):
            return number
    return 1


def comment(text):
    """A C comment, wrapped."""
    lines, line = [], "/*"
    for word in text.split():
        if len(line) + len(word) + 1 > 96:
            lines.append(line)
            line = " *"
        line += " " + word
    return "\n".join(lines + [line + " */"])


def parameters(method, head):
    """The parameter list of a function that takes what goes in and gives what comes out."""
    fields = [p for f in method.ins for p in f.parameters(False)]
    fields += [p for f in method.outs for p in f.parameters(True)]
    return ", ".join([head] + fields)


def client_stub(method):
    """The function by which a client calls the method."""
    lines = [comment(method.about),
             f"static inline enum limen_error {method.function}"
             f"({parameters(method, 'uint32_t service')})", "{"]
    lines.append("    struct limen_writer writer = {limen_message()->words, 0};")
    if method.outs:
        lines.append("    struct limen_reader reader;")
    lines += ["    enum limen_error error;", "    unsigned words;", ""]
    lines += ["    " + field.clear() for field in method.outs]
    for field in method.ins:
        if field.too_long():
            lines += [f"    if ({field.too_long()})", "        return LIMEN_OUT_OF_RANGE;"]
    lines += ["    " + field.put() for field in method.ins]
    transact = "limen_transact_again" if method.retry else "limen_transact"
    lines += [f"    error = {transact}(service, limen_tag({method.function.upper()}, "
              "writer.count, 0), &words);"]
    if method.outs:
        lines += ["    if (error != LIMEN_OK)", "        return error;",
                  "    reader = (struct limen_reader){limen_message()->words, words, 0};"]
        got = " && ".join(field.get(True) for field in method.outs)
        lines += [f"    return {got} ? LIMEN_OK : LIMEN_BAD_ARGUMENT;"]
    else:
        lines += ["    return error;"]
    return "\n".join(lines + ["}"])


def encoder(method):
    """The function that lays out an answer in the message page and returns its tag."""
    fields = ["enum limen_error error"] + [p for f in method.outs for p in f.parameters(False)]
    lines = [f"static inline uint64_t {method.function}_encode({', '.join(fields)})", "{",
             "    struct limen_writer writer = {limen_message()->words, 0};", ""]
    for field in method.outs:
        if field.too_long():
            lines += [f"    if (error == LIMEN_OK && {field.too_long()})",
                      "        error = LIMEN_OUT_OF_RANGE;"]
    if method.outs:
        lines += ["    if (error == LIMEN_OK) {"]
        lines += ["        " + field.put() for field in method.outs]
        lines += ["    }"]
    return "\n".join(lines + ["    return limen_tag((uint32_t)error, writer.count, 0);", "}"])


def answer(method):
    """The function that answers a deferred request."""
    fields = ["uint32_t reply", "enum limen_error error"]
    fields += [p for f in method.outs for p in f.parameters(False)]
    passed = ["error"] + [a for f in method.outs for a in f.arguments(False)]
    return "\n".join([
        f"static inline enum limen_error {method.function}_answer({', '.join(fields)})", "{",
        f"    return limen_answer_deferred(reply, {method.function}_encode({', '.join(passed)}));",
        "}"])


def dispatch_case(method):
    """The case of a method in the dispatch function."""
    lines = [f"    case {method.function.upper()}: {{"]
    for field in method.ins + method.outs:
        lines += ["        " + line for line in field.locals()]
    passed = ["request"] + [a for f in method.ins for a in f.arguments(False)]
    passed += [a for f in method.outs for a in f.arguments(True)]
    encoded = ["error"] + [a for f in method.outs for a in f.arguments(False)]
    lines += [f"        if (handlers->{method.name} == NULL)", "            break;"]
    for field in method.ins:
        lines += [f"        if (!{field.get(False)})",
                  "            return limen_tag(LIMEN_BAD_ARGUMENT, 0, 0);"]
    lines += [f"        error = handlers->{method.name}({', '.join(passed)});",
              "        return request->deferred ? 0 : "
              f"{method.function}_encode({', '.join(encoded)});",
              "    }"]
    return "\n".join(lines)


def header(protocol):
    """The whole header of a protocol."""
    name, upper = protocol.name, protocol.name.upper()
    handlers = "\n".join(
        comment(m.about).replace("\n", "\n    ").join(["    ", "\n"]) +
        f"    enum limen_error (*{m.name})({parameters(m, 'struct limen_request *request')});"
        for m in protocol.methods)
    limits = "\n".join(f"#define {f.limit_name} {f.limit}u"
                       for m in protocol.methods for f in m.ins + m.outs if f.limit)
    labels = "\n".join(f"#define {m.function.upper()} ({upper}_LABEL | {m.number}u)"
                       for m in protocol.methods)
    cases = "\n".join(dispatch_case(m) for m in protocol.methods)
    uses_reader = any(m.ins for m in protocol.methods)
    reader = ("    struct limen_reader reader = {limen_message()->words, request->words, 0};\n"
              if uses_reader else "")
    stubs = "\n\n".join("\n\n".join([client_stub(m), encoder(m), answer(m)])
                        for m in protocol.methods)
    return f"""/* Made by servers/lib/protocol.py from protocols/{protocol.path.name}; do not edit. */
{comment(protocol.about)}
#ifndef PROTOCOL_{upper}_H
#define PROTOCOL_{upper}_H

#include <runtime/environment.h>
#include <runtime/ipc.h>
#include <runtime/marshal.h>
#include <runtime/service.h>

#define {upper}_LABEL {protocol.label:#010x}u
{labels}
{limits}

{stubs}

/* What a server of this protocol does; a method left NULL is answered with BAD_OPERATION. */
struct {name}_handlers {{
{handlers}
}};

static inline uint64_t {name}_dispatch(const void *table, struct limen_request *request)
{{
    const struct {name}_handlers *handlers = table;
{reader}    enum limen_error error;

    switch (request->label) {{
{cases}
    }}
    return limen_tag(LIMEN_BAD_OPERATION, 0, 0);
}}

/* This protocol and its handlers, for a server's list. */
static inline struct limen_protocol {name}_protocol(const struct {name}_handlers *handlers)
{{
    return (struct limen_protocol){{{upper}_LABEL, {name}_dispatch, handlers}};
}}

/* Serves this protocol, and nothing else, for ever, at the endpoint of the service that the
 * manifest lets this server provide. */
_Noreturn static inline void {name}_serve(const struct {name}_handlers *handlers)
{{
    const struct limen_protocol protocol = {name}_protocol(handlers);
    struct limen_server server = {{
        .endpoint = limen_provided(),
        .protocols = &protocol,
        .protocol_count = 1,
    }};
    limen_serve(&server, NULL);
}}

#endif
"""


def page(protocol):
    """The reference page of a protocol, in Markdown."""
    def values(fields):
        return ", ".join(
            f"`{f.name}` ({f.kind}{f', at most {f.limit} bytes' if f.limit else ''})"
            for f in fields) or "nothing"
    lines = [f"# Protocol {protocol.name}", "", protocol.about, ""]
    for method in protocol.methods:
        again = "is made again" if method.retry else "fails with CANCELLED"
        lines += [f"## {method.name}", "", method.about, "", f"- in: {values(method.ins)}",
                  f"- out: {values(method.outs)}",
                  f"- when the server dies before it has answered: the call {again}",
                  f"- label: {protocol.label | method.number:#010x}", ""]
    return "\n".join(lines)


def names(protocols):
    """A table of all methods' labels and names, for who reports on others' messages."""
    rows = "\n".join(f'    {{{p.label | m.number:#010x}u, "{p.name}.{m.name}"}},'
                     for p in protocols for m in p.methods)
    return f"""/* Made by servers/lib/protocol.py; do not edit. */
/* The methods of all protocols. */
#ifndef PROTOCOL_NAMES_H
#define PROTOCOL_NAMES_H

#include <stdint.h>

static const struct {{
    uint32_t label;
    const char *name;
}} protocol_names[] = {{
{rows}
}};

#endif
"""


def check_labels(protocols):
    """Two protocols, or a protocol and the kernel's faults, must not share labels."""
    owners = {}
    for protocol in protocols:
        other = owners.setdefault(protocol.label, protocol)
        if other is not protocol or protocol.label == FAULT_LABELS:
            taken = "the kernel's faults" if other is protocol else other.path.name
            raise ProtocolError(f"{protocol.path}:1: the labels made from the name "
                                f"{protocol.name} are those of {taken}: choose another name")


def main():
    """Reads every declaration, checks them together, writes what they mean."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--headers", type=pathlib.Path, required=True)
    parser.add_argument("--pages", type=pathlib.Path, required=True)
    parser.add_argument("declarations", type=pathlib.Path, nargs="+")
    options = parser.parse_args()
    try:
        protocols = [Protocol(path) for path in options.declarations]
        check_labels(protocols)
    except ProtocolError as error:
        sys.exit(str(error))
    for directory in (options.headers, options.pages):
        directory.mkdir(parents=True, exist_ok=True)
    for protocol in protocols:
        (options.headers / f"{protocol.name}.h").write_text(header(protocol))
        (options.pages / f"{protocol.name}.md").write_text(page(protocol))
    (options.headers / "names.h").write_text(names(protocols))


if __name__ == "__main__":
    main()
