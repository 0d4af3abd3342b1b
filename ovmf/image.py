#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes a GPT disk image with one EFI system partition, as an ordinary user.

The same files give the same bytes: identifiers are fixed and every file carries one fixed time, so
that a run under exact instruction counting can be repeated bit by bit.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SECTOR = 512
MIB = 1 << 20
# Firmware is only bound to read FAT32, which needs at least 65,525 clusters: 33 MiB of 512 bytes.
SMALLEST_PARTITION = 36 * MIB
PARTITION_START = MIB
GPT_BACKUP = MIB
FILE_TIME = 1767225600  # 2026-01-01 00:00:00 UTC
DISK_GUID = "4c696d65-6e00-4000-8000-000000000001"
PARTITION_GUID = "4c696d65-6e00-4000-8000-000000000002"
VOLUME_SERIAL = "4c696d6e"


def run(*command):
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(FILE_TIME), TZ="UTC", LC_ALL="C",
                       MTOOLSRC=os.devnull, MTOOLS_SKIP_CHECK="1")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")


def partition_size(files):
    """Bytes for the partition: the files, rounded up to whole MiB, and room for a few more."""
    content = sum(host.stat().st_size for host in files.values())
    return max(SMALLEST_PARTITION, (content * 5 // 4 // MIB + 4) * MIB)


def write_image(output, files):
    """`files` maps a path on the volume (with '/') to a file of this host."""
    size = partition_size(files)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix="image.") as scratch:
        tree, image = Path(scratch, "tree"), Path(scratch, "image")
        for volume_path, host in sorted(files.items()):
            place = tree / volume_path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(host, place)
        for place in [*tree.rglob("*")]:
            os.utime(place, (FILE_TIME, FILE_TIME))

        with image.open("wb") as file:
            file.truncate(PARTITION_START + size + GPT_BACKUP)
        first = PARTITION_START // SECTOR
        run("sgdisk", "--clear", f"--disk-guid={DISK_GUID}",
            f"--new=1:{first}:{first + size // SECTOR - 1}", "--typecode=1:ef00",
            f"--partition-guid=1:{PARTITION_GUID}", "--change-name=1:Limen", str(image))
        volume = f"{image}@@{PARTITION_START}"
        run("mformat", "-i", volume, "-F", "-N", VOLUME_SERIAL, "-v", "LIMEN", "-c", "1",
            "-T", str(size // SECTOR), "-h", "16", "-s", "63", "::")
        run("mcopy", "-i", volume, "-s", "-m", *map(str, sorted(tree.iterdir())), "::")
        image.replace(output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("files", nargs="*", metavar="PATH-ON-VOLUME=FILE")
    options = parser.parse_args()
    files = {}
    for pair in options.files:
        volume_path, _, host = pair.partition("=")
        files[volume_path] = Path(host)
        if not files[volume_path].is_file():
            sys.exit(f"image: there is no file {host} to put at {volume_path}")
    try:
        write_image(options.output, files)
    except RuntimeError as error:
        sys.exit(f"image: {options.output} could not be written: {error}")


if __name__ == "__main__":
    main()
