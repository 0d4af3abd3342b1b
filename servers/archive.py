#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes the boot archive: the compiled manifest, and each server it names with its symbols.

usage: archive.py --manifest MANIFEST.toml --output FILE BINARY...

Each BINARY is NAME.stripped, and NAME.sym stands beside it.  The archive is a cpio of the "newc"
kind.  The same input gives the same bytes: times are zero and the order is the alphabet's.
"""

import argparse
import pathlib
import sys

from manifest import C, Manifest, ManifestError

TRAILER = "TRAILER!!!"
REGULAR_READ_ONLY = 0o100444


def entry(number, name, content):
    """One file of a newc archive: header, name and content, the last two filled up to words."""
    fields = [number, REGULAR_READ_ONLY if name != TRAILER else 0, 0, 0, 1, 0, len(content), 0, 0,
              0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def archive(files):
    """The archive of {name: content}."""
    parts = [entry(number, name, files[name]) for number, name in enumerate(sorted(files), 1)]
    return b"".join(parts + [entry(0, TRAILER, b"")])


def main():
    """Compiles the manifest and gathers what it names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--manifest", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("binaries", type=pathlib.Path, nargs="+")
    options = parser.parse_args()
    binaries = {path.stem: path for path in options.binaries}
    try:
        manifest = Manifest(options.manifest)
        manifest.check_binaries(binaries.keys())
        files = {C["LIMEN_MANIFEST_NAME"]: manifest.pack()}
    except ManifestError as error:
        sys.exit(str(error))
    for server in manifest.servers:
        path = binaries[server.binary]
        files[server.binary] = path.read_bytes()
        files[f"{server.binary}.sym"] = path.with_suffix(".sym").read_bytes()
    options.output.write_bytes(archive(files))


if __name__ == "__main__":
    main()
