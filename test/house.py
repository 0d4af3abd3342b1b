#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The rules of the house that a program can check, for every file of the repository."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LICENCE_LINE = "SPDX-License-Identifier: MIT"
ROOMS = {"efi", "arch", "kernel", "include", "servers", "test", "ovmf", "docs", ".ci"}
# Above this a file is usually two ideas: said aloud.  Above the other it has to be split.
LINES_TO_MENTION = 600
LINES_TO_REFUSE = 900
KERNEL_LINES = 9000
# A licence is its own; .clang-format and .gitignore are settings that explain themselves; a page
# says its licence in the README.
WITHOUT_LICENCE_LINE = re.compile(r"(^|/)(LICENSE|\.clang-format|\.gitignore)$|\.md$")


def repository_files():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True).stdout
    return sorted(path for path in map(Path, listed.decode().split("\0")[:-1])
                  if (ROOT / path).is_file())


def check_file(path, lines):
    """What is wrong with one file."""
    if len(path.parts) > 1 and path.parts[0] not in ROOMS:
        yield f"{path}: the house has no room {path.parts[0]}/; the rooms are {' '.join(sorted(ROOMS))}"
    if not WITHOUT_LICENCE_LINE.search(str(path)) and LICENCE_LINE not in "".join(lines[:2]):
        yield f"{path}:1: the first line must say {LICENCE_LINE}"
    for number, line in enumerate(lines, 1):
        if re.search(r"[ \t]$", line):
            yield f"{path}:{number}: blanks at the end of the line"
        if "\t" in line and path.suffix in (".c", ".h", ".py"):
            yield f"{path}:{number}: a tab; indent with four spaces"
    if lines and not lines[-1]:
        yield f"{path}: an empty line at the end"
    if len(lines) > LINES_TO_REFUSE:
        yield f"{path}: {len(lines)} lines are more than one idea (at most {LINES_TO_REFUSE})"


# Where code names a page, by its path from the root; and where a page names a file, by its own.
NAMED_PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")
LINK = re.compile(r"\]\(([\w./-]+)(?:#[\w-]*)?\)")


def check_pages(texts):
    """Pages that are named are there, and each hazard's is named where the code guards against it."""
    named = set()
    for path, text in texts.items():
        if path.suffix == ".md":
            targets = {path.parent / target for target in LINK.findall(text)}
        else:
            targets = {Path(page) for page in NAMED_PAGE.findall(text)}
        yield from (f"{path}: there is no {target}" for target in sorted(targets)
                    if not (ROOT / target).exists())
        if path.parts[0] in ("arch", "kernel") and path.suffix in (".c", ".h", ".S"):
            named |= targets
    for page in texts:
        if page.parts[:2] == ("docs", "hazards") and page not in named:
            yield f"{page}: no line of arch/ or kernel/ names it, where the hazard is guarded against"


def main():
    wrong, kernel_lines, texts = [], 0, {}
    for path in repository_files():
        try:
            texts[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            wrong.append(f"{path}: not a text file")
            continue
        lines = texts[path].splitlines()
        wrong += check_file(path, lines)
        if len(lines) > LINES_TO_MENTION:
            print(f"note: {path} has {len(lines)} lines; above {LINES_TO_MENTION} it may be two "
                  "ideas")
        if path.parts[0] in ("kernel", "arch") and path.suffix in (".c", ".h", ".S"):
            kernel_lines += len(lines)
    wrong += check_pages(texts)
    if kernel_lines > KERNEL_LINES:
        wrong.append(f"kernel/ and arch/ have {kernel_lines} lines, more than {KERNEL_LINES}")
    print(f"note: kernel/ and arch/ have {kernel_lines} of at most {KERNEL_LINES} lines")
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
