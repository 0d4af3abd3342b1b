# SPDX-License-Identifier: MIT
"""Images with something wrong, each of which the loader must refuse with a clear sentence."""

import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ovmf"))

from image import write_image  # noqa: E402
from machine import BUILD  # noqa: E402

KERNEL = "limen/kernel.elf"
INIT = "limen/init.elf"
ARCHIVE = "limen/boot.cpio"
FILES = {
    "EFI/BOOT/BOOTX64.EFI": BUILD / "BOOTX64.EFI",
    KERNEL: BUILD / "kernel.elf",
    INIT: BUILD / "servers" / "init.elf",
    ARCHIVE: BUILD / "boot.cpio",
}

# Offsets in an ELF header and in a program header (System V ABI, figures 4-3 and 5-1, ELF-64).
E_MACHINE = 18
E_PHOFF = 32
E_PHENTSIZE = 54
E_PHNUM = 56
P_OFFSET = 8
P_VADDR = 16
P_FILESZ = 32
PT_LOAD = 1
EM_AARCH64 = 183


def load_segments(elf):
    """Offsets of the program headers of loadable segments."""
    table, = struct.unpack_from("<Q", elf, E_PHOFF)
    size, count = struct.unpack_from("<HH", elf, E_PHENTSIZE)
    headers = [table + size * index for index in range(count)]
    return [header for header in headers if struct.unpack_from("<I", elf, header)[0] == PT_LOAD]


def first_half(data):
    return data[:len(data) // 2]


def without_the_last_byte_loaded(data):
    """What follows the last segment, symbols, is not the loader's concern."""
    ends = [sum(struct.unpack_from("<Q", data, header + field)[0] for field in (P_OFFSET, P_FILESZ))
            for header in load_segments(data)]
    return data[:max(ends) - 1]


def other_machine(data):
    elf = bytearray(data)
    struct.pack_into("<H", elf, E_MACHINE, EM_AARCH64)
    return bytes(elf)


def overlapping_segments(data):
    """The second loadable segment begins where the first does."""
    elf = bytearray(data)
    first, second, *_ = load_segments(elf)
    elf[second + P_VADDR:second + P_VADDR + 8] = elf[first + P_VADDR:first + P_VADDR + 8]
    return bytes(elf)


def broken_header(data):
    """Every member's header keeps its place and loses its magic number."""
    return data.replace(b"070701", b"080808")


def larger_than_memory(data):
    """More than a machine of 64 MiB can hold."""
    return data + bytes(64 << 20)


def missing(_):
    return None


SPOILT = {
    "truncated kernel": (KERNEL, without_the_last_byte_loaded),
    "kernel for another machine": (KERNEL, other_machine),
    "kernel with overlapping segments": (KERNEL, overlapping_segments),
    "no kernel": (KERNEL, missing),
    "truncated init": (INIT, without_the_last_byte_loaded),
    "no init": (INIT, missing),
    "corrupt archive": (ARCHIVE, broken_header),
    "truncated archive": (ARCHIVE, first_half),
    "archive larger than memory": (ARCHIVE, larger_than_memory),
    "no archive": (ARCHIVE, missing),
}


def write_spoilt_image(what, output):
    volume_path, spoil = SPOILT[what]
    spoilt = spoil(FILES[volume_path].read_bytes())
    files = dict(FILES)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        if spoilt is None:
            del files[volume_path]
        else:
            files[volume_path] = Path(scratch, "spoilt")
            files[volume_path].write_bytes(spoilt)
        write_image(output, files)
