#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes a new server that works, from servers/lib/template.

usage: new_server.py NAME
"""

import pathlib
import re
import sys

from manifest import C, Manifest, ManifestError

SERVERS = pathlib.Path(__file__).resolve().parent
ROOT = SERVERS.parent
TEMPLATE = SERVERS / "lib/template"
MANIFEST_TABLE = """
[NAME]
priority = 100
memory = "128K"
provides = "NAME"
restart = "on-fault"
"""
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def fill(text, name):
    """A template's text, for a server of that name."""
    return text.replace("PROTOCOL", name.upper()).replace("NAME", name)


def refuse(reason):
    """Ends with a sentence for the person who asked."""
    sys.exit(f"new-server: {reason}")


def main():
    """Checks the name, and writes the server's files and its part of the manifest."""
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if not name:
        refuse("give the server a name: make new-server NAME=hello")
    if not NAME.match(name) or len(name) >= C["LIMEN_NAME_MAX"]:
        refuse(f"{name} is no name for a server: want a lower-case letter, then letters, digits or "
               f"_, at most {C['LIMEN_NAME_MAX'] - 1} in all")
    files = {SERVERS / name / "main.c": "main.c.in",
             SERVERS / name / "build.mk": "build.mk.in",
             ROOT / "include/limen/protocols" / f"{name}.toml": "protocol.toml.in"}
    for path in files:
        if path.exists():
            refuse(f"{path.relative_to(ROOT)} exists already")
    manifest = SERVERS / "manifest.toml"
    try:
        taken = {server.name for server in Manifest(manifest).servers}
    except ManifestError as error:
        refuse(f"first mend the manifest: {error}")
    if name in taken | set(C["LIMEN_MANIFEST_INIT_SERVICES"].split()) | {"supervisor", "lib"}:
        refuse(f"the name {name} is taken")
    (SERVERS / name).mkdir(exist_ok=True)
    for path, template in files.items():
        path.write_text(fill((TEMPLATE / template).read_text(), name))
        print(f"wrote {path.relative_to(ROOT)}")
    with manifest.open("a", encoding="utf-8") as out:
        out.write(fill(MANIFEST_TABLE, name))
    print(f"added [{name}] to {manifest.relative_to(ROOT)}")
    print(f"Try it: make run CMD=ps.  Then read docs/servers.md, and change servers/{name}/main.c.")


if __name__ == "__main__":
    main()
