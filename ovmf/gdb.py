# SPDX-License-Identifier: MIT
"""gdb commands that know the kernel's structures; make debug and the test harness load them.

Everything is found from this processor's block: its current thread, and init's capability table,
from whose memory every object of the machine is made.
"""

import re
import subprocess
from pathlib import Path

import gdb

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ("build/servers/*.elf", "build/test/boot/*.elf")
PREFIXED = ROOT / "build" / "debug"
BACKTRACE_MAX = 40
TYPE, STATE = ("limen_type", "LIMEN_TYPE_"), ("limen_thread_state", "LIMEN_THREAD_")

# Page tables, SDM vol. 3, 4.5.
PRESENT, LARGE = 1 << 0, 1 << 7
ADDRESS_BITS = 0x000FFFFFFFFFF000
TABLE_SHIFTS = (39, 30, 21, 12)


def header_number(header, name):
    """The value of a macro, which the debug information does not have."""
    text = (ROOT / "include" / "limen" / header).read_text(encoding="utf-8")
    return int(re.search(rf"#define {name}\s+(0x[0-9a-f]+|\d+)", text)[1], 0)


def header_names(header, enumeration):
    """An enumeration's members by value; the compiler describes only those it meets as types."""
    kind, prefix = enumeration
    text = (ROOT / "include" / "limen" / header).read_text(encoding="utf-8")
    body = re.search(rf"enum {kind} {{(.*?)}};", text, re.S)[1]
    members = re.findall(rf"^\s*{prefix}(\w+)", body, re.M)
    return [member.lower() for member in members]


PHYSMAP = header_number("boot.h", "LIMEN_PHYSMAP_BASE")
TYPES = header_names("objects.h", TYPE)
STATES = header_names("objects.h", STATE)


def memory(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return int.from_bytes(memory(address, 8), "little")


def structures(kind, address, count=1):
    """`count` structures at an address, read all at once."""
    one = gdb.lookup_type(f"struct {kind}")
    data = memory(address, one.sizeof * count)
    return [gdb.Value(data[i * one.sizeof:(i + 1) * one.sizeof], one) for i in range(count)]


def address_of(pointer):
    """A pointer's or a register's value; gdb takes the upper half of the addresses for negative."""
    return int(pointer) % (1 << 64)


def structure(kind, pointer):
    return structures(kind, address_of(pointer))[0]


def this_cpu():
    """This processor's block: SWAPGS exchanges the two bases on the way in and out."""
    in_ring_3 = int(gdb.parse_and_eval("$cs")) & 3 == 3
    base = address_of(gdb.parse_and_eval("$k_gs_base" if in_ring_3 else "$gs_base"))
    if base >> 63 == 0:
        raise gdb.GdbError("the kernel has not set this processor up yet")
    return structure("cpu", base)


def text_of(words):
    data = b"".join(int(words[i]).to_bytes(8, "little") for i in range(2))
    return data.split(b"\0")[0].decode(errors="replace")


def slots_of_table(pointer):
    """The slots of a capability table, entry 0, its header, included."""
    count = int(structure("slot", pointer)["header"]["slots"])
    return structures("slot", address_of(pointer), count)


def all_capabilities():
    """Every capability, as the trees of derivation below init's table hold them."""
    pending = [slot for slot in slots_of_table(this_cpu()["init_table"])[1:]
               if int(slot["type"])]
    seen = set()
    while pending:
        slot = pending.pop()
        yield slot
        for address in (address_of(slot["child"]), address_of(slot["next"])):
            if address and address not in seen:
                seen.add(address)
                pending.append(structure("slot", address))


def all_threads():
    """(address, structure) of every thread."""
    thread = TYPES.index("thread")
    found = {address_of(slot["object"]) for slot in all_capabilities() if int(slot["type"]) == thread}
    return [(address, structure("thread", address)) for address in sorted(found)]


def thread_named(name):
    for address, thread in all_threads():
        if name in (text_of(thread["name"]), f"{address:#x}"):
            return address, thread
    raise gdb.GdbError(f"no thread is called {name}; limen-threads lists them")


def place(address):
    """The function and line of an address; for an inlined one, the function it is in too."""
    line = gdb.find_pc_line(address)
    block = gdb.block_for_pc(address)
    functions = []
    while block:
        if block.function:
            functions.append(str(block.function))
        block = block.superblock
    if functions and line.symtab:
        names = " in ".join(dict.fromkeys([functions[0], functions[-1]]))
        return f"{address:#x} {names} at {line.symtab.filename}:{line.line}"
    name = gdb.execute(f"info symbol {address:#x}", to_string=True).split(" in section")[0]
    return f"{address:#x} {'?' if name.startswith('No symbol') else name.strip()}"


def physical_address(cr3, address):
    """Where an address of a space lies in the kernel's map of all memory, or None."""
    table = cr3 & ADDRESS_BITS
    for shift in TABLE_SHIFTS:
        entry = word(PHYSMAP + table + (address >> shift & 511) * 8)
        if not entry & PRESENT:
            return None
        if shift == TABLE_SHIFTS[-1] or entry & LARGE:
            offset = (1 << shift) - 1
            return PHYSMAP + (entry & ADDRESS_BITS & ~offset) + (address & offset)
        table = entry & ADDRESS_BITS
    return None


def user_backtrace(thread):
    """Where a thread is in ring 3, and whence it came there, by its chain of frame pointers."""
    regs = structure("limen_regs", thread["arch"]["regs"])
    cr3, frame = int(thread["arch"]["cr3"]), int(regs["rbp"])
    addresses = [int(regs["rip"])]
    while frame and frame % 8 == 0 and len(addresses) < BACKTRACE_MAX:
        places = [physical_address(cr3, frame + offset) for offset in (0, 8)]
        if None in places:
            break
        older, back = map(word, places)
        if not back:
            break
        addresses.append(back)
        if older <= frame:
            break
        frame = older
    return addresses


class Help(gdb.Command):
    """limen-help: what the commands of Limen do."""

    def __init__(self):
        super().__init__("limen-help", gdb.COMMAND_SUPPORT)

    def invoke(self, _argument, _from_tty):
        for command in COMMANDS:
            print(f"  {command.__doc__}")
        print("  Functions of servers are also known as SERVER.FUNCTION: hbreak console.main")


class Threads(gdb.Command):
    """limen-threads: every thread, its state, and where it is in ring 3."""

    def __init__(self):
        super().__init__("limen-threads", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        current = address_of(this_cpu()["current"])
        threads = all_threads()
        if current not in dict(threads):
            print("(the processor is idle)")
        for address, thread in threads:
            regs = structure("limen_regs", thread["arch"]["regs"])
            mark = "*" if address == current else " "
            print(f"{mark} {text_of(thread['name']):16} {address:#x} "
                  f"priority {int(thread['priority']):3} {STATES[int(thread['state'])]:13} "
                  f"{place(int(regs['rip']))}")


class Caps(gdb.Command):
    """limen-caps THREAD: the capabilities in the table of a thread."""

    def __init__(self):
        super().__init__("limen-caps", gdb.COMMAND_STATUS)

    def invoke(self, argument, _from_tty):
        _, thread = thread_named(argument.strip())
        table = thread["table"]
        if not int(table):
            raise gdb.GdbError(f"{argument} has no capability table")
        for index, slot in enumerate(slots_of_table(table)[1:], 1):
            if int(slot["type"]):
                print(f"  {index:5} {describe(slot)}")


def describe(slot):
    kind = TYPES[int(slot["type"])]
    rights = "".join(letter if int(slot["rights"]) >> bit & 1 else "-"
                     for bit, letter in enumerate("rwxg"))
    text = f"{kind:13} {rights}"
    if kind == "ports":
        return f"{text} {int(slot['first_port']):#x}-{int(slot['last_port']):#x}"
    text += f" {address_of(slot['object']):#x}"
    if kind in ("endpoint", "notification"):
        text += f" badge {int(slot['badge']):#x}"
    if kind in ("untyped", "frame", "table", "space"):
        text += f" 2^{int(slot['order'])}"
    if kind == "untyped":
        text += f" bytes, {int(slot['used'])} handed out"
    if kind == "frame" and int(slot["space"]):
        text += f" mapped at {int(slot['page']) << 12:#x}"
    if kind == "thread":
        text += f" {text_of(structure('thread', slot['object'])['name'])}"
    if kind == "context":
        context = structure("context", slot["object"])
        text += (f" {int(context['left'])} of {int(context['budget']):#x} ticks left, "
                 f"{int(context['parked_count'])} parked")
    return text


class Backtrace(gdb.Command):
    """limen-bt [THREAD]: where the processor, or a thread in ring 3, is and whence it came."""

    def __init__(self):
        super().__init__("limen-bt", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        if not argument:
            gdb.execute(f"backtrace {BACKTRACE_MAX}")
            return
        _, thread = thread_named(argument.strip())
        if int(thread["resume"]):
            frame = structure("limen_regs", thread["resume"])
            print(f"preempted in the kernel at {place(address_of(frame['rip']))}")
        for level, address in enumerate(user_backtrace(thread)):
            # A return address may be the start of the next line or function.
            print(f"#{level:<2} {place(address - 1 if level else address)}")


def load_server_symbols():
    """Each server's symbols; the linker gave each addresses of its own (servers/build.mk)."""
    PREFIXED.mkdir(parents=True, exist_ok=True)
    for server in sorted(file for pattern in SERVERS for file in ROOT.glob(pattern)):
        prefixed = PREFIXED / server.name
        subprocess.run(["llvm-objcopy", f"--prefix-symbols={server.stem}.", server, prefixed],
                       check=True)
        gdb.execute(f"add-symbol-file {prefixed}", to_string=True)


COMMANDS = [Threads(), Caps(), Backtrace(), Help()]
load_server_symbols()
