#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks a linked kernel for what can be seen in it of the threshold's invariants.

    check.py kernel.elf...      one line for each finding: CHECK: where: what; status 1 if any
    check.py --list             the names of the checks, each with what it sees to

docs/invariants.md says which invariant each check guards, and why it must hold.
"""

import re
import struct
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from c_code import CallGraph, StackAnalysis
from entry_paths import DEBUG, DOUBLE_FAULT, MACHINE_CHECK, NMI, EntryWalker
from kernel_image import PF_W, PF_X, Immediate, KernelImage, Memory, Register, Target

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = {}

EXTENDED = re.compile(r"%([xyz]?mm\d|st\b|k[0-7]\b)")
FLOATING = re.compile(r"^(f(?!s)|x(save|rstor)|emms|ldmxcsr|stmxcsr)")
MSR_GS_BASE, MSR_FMASK, MSR_EFER = 0xC0000101, 0xC0000084, 0xC0000080
EFER_NXE = 0x800
TSS_LIMIT = 103
TSS_IST = 0x28  # in struct arch_tss


def header_numbers(path):
    """The numbers a header defines."""
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
    numbers = {}
    for name, body in re.findall(r"^#define (\w+) +(.+?) *(?:/\*.*)?$", text, re.M):
        body = re.sub(r"(?<=[0-9a-fA-F])u?ll\b|(?<=[0-9a-fA-F])u\b", "", body)
        body = re.sub(r"\b[A-Z]\w*\b", lambda match: str(numbers.get(match[0], match[0])), body)
        if re.fullmatch(r"[\s()0-9a-fA-Fx|&~<>*+-]+", body):
            numbers[name] = int(eval(body))  # arithmetic of numbers alone
    return numbers


def check(name):
    """Declares a check: a generator of (address, what) for an image."""
    def declare(function):
        CHECKS[name] = function
        return function
    return declare


class Subject:
    """An image with what several checks want to know of it."""

    def __init__(self, path):
        self.image = KernelImage(path)
        self.policy = tomllib.loads(
            Path(__file__).with_name("policy.toml").read_text(encoding="utf-8"))
        self.layout = header_numbers("arch/x86_64/layout.h")
        self.boot = header_numbers("include/limen/boot.h")
        regs = header_numbers("include/limen/regs.h")
        self.regs = {name[5:].lower(): value for name, value in regs.items()
                     if name.startswith("REGS_") and name != "REGS_BY_SYSCALL"}
        self.walker = EntryWalker(self.image, self.regs, self.layout)
        self.walker.walk_all()
        analysis = StackAnalysis(self.image, self.policy["indirect"])
        self.functions = {symbol.name: analysis.analyse(symbol) for symbol in self.c_functions()}

    def in_entry_file(self, address):
        first = self.image.address_of("_start")
        stubs = self.image.function_named("vector_stubs")
        return first <= address < self.image.end_of(stubs)

    def c_functions(self):
        return [symbol for symbol in self.image.functions if not self.in_entry_file(symbol.address)]

    def all_instructions(self):
        for instruction in self.image.instructions.values():
            yield self.image.name_at(instruction.address), instruction

    def instructions_of(self, name):
        return list(self.image.body(self.image.function_named(name)))

    def by_walking(self, name):
        return [(address, what) for check, address, what in self.walker.findings if check == name]

    def constant_before(self, instructions, index, register):
        """What a register was last set to, if that was a constant, in the same straight line."""
        for instruction in reversed(instructions[:index]):
            if instruction.mnemonic.startswith(("j", "call", "ret")):
                return None
            if instruction.operands and isinstance(instruction.operands[-1], Register) and \
               instruction.operands[-1].name in (register, "r" + register[1:]):
                if isinstance(instruction.operands[0], Immediate):
                    return instruction.operands[0].value
                if instruction.mnemonic.startswith("xor") and \
                   instruction.operands[0] == instruction.operands[1]:
                    return 0
                return None
        return None

    def msr_writes(self):
        """(function, address, MSR or None, low half or None) of each WRMSR of C."""
        for symbol in self.c_functions():
            body = list(self.image.body(symbol))
            for index, instruction in enumerate(body):
                if instruction.mnemonic == "wrmsr":
                    yield (symbol.name, instruction.address,
                           self.constant_before(body, index, "ecx"),
                           self.constant_before(body, index, "eax"), body[max(0, index - 6):index])


@check("registers")
def registers(subject):
    """Extended registers and floating point only where ring 3's are saved and loaded."""
    allowed = subject.policy["extended_registers"]["functions"]
    for function, i in subject.all_instructions():
        if (EXTENDED.search(i.text) or FLOATING.match(i.mnemonic)) and function not in allowed:
            yield i.address, f"`{i.text}` touches ring 3's extended registers"


@check("red-zone")
def red_zone(subject):
    """No access below RSP, in C or assembly, and no use of ring 3's stack by ring 0."""
    yield from subject.by_walking("red-zone")
    for function in subject.functions.values():
        for i in function.below_stack:
            yield i.address, f"`{i.text}` reaches below RSP, where an interrupt writes"


@check("flags")
def flags(subject):
    """Flags are set to known ones on each path to C, and nothing in C sets DF, AC or IF."""
    yield from subject.by_walking("flags")
    for _, i in subject.all_instructions():
        if i.mnemonic in ("std", "clac") or \
           i.mnemonic.startswith("popf") and not subject.in_entry_file(i.address):
            yield i.address, f"`{i.text}` sets flags outside of the entries"


@check("smap")
def smap(subject):
    """No STAC: ring 3's pages are never open to the kernel."""
    for _, i in subject.all_instructions():
        if i.mnemonic == "stac":
            yield i.address, "STAC opens ring 3's pages"


@check("fmask")
def fmask(subject):
    """SYSCALL clears every flag that ring 3 can have set."""
    needed = sum(value for name, value in subject.layout.items()
                 if name.startswith("RFLAGS_") and name != "RFLAGS_FIXED")
    written = [(address, low) for _, address, msr, low, _ in subject.msr_writes()
               if msr == MSR_FMASK]
    if not written:
        yield 0, "nothing writes FMASK"
    for address, low in written:
        if low is None or needed & ~low:
            yield address, f"FMASK is {low or 0:#x}, without {needed & ~(low or 0):#x}"


@check("gs")
def gs(subject):
    """The kernel's GS base wherever C runs, ring 3's at each way out; C swaps it for an instant."""
    yield from subject.by_walking("gs")
    for symbol in subject.c_functions():
        swapped = None
        for i in subject.image.body(symbol):
            if i.mnemonic == "swapgs":
                swapped = None if swapped else i.address
            elif swapped and (i.mnemonic not in ("rdgsbaseq", "wrgsbaseq", "movl", "movw", "movq")
                              or any(isinstance(operand, Memory) for operand in i.operands)):
                yield i.address, f"`{i.text}` while GS base is ring 3's"
                swapped = None
        if swapped:
            yield swapped, "SWAPGS without another behind it"
    for function, address, msr, _, before in subject.msr_writes():
        if msr == MSR_GS_BASE and function not in subject.policy["gs_base"]["functions"]:
            yield address, f"{function} writes GS base"


@check("interrupts")
def interrupts(subject):
    """Interrupts are off in all of the kernel but for windows of one instruction."""
    for _, i in subject.all_instructions():
        if i.mnemonic != "sti":
            continue
        second = subject.image.instructions[i.next]
        third = subject.image.instructions[second.next]
        if subject.in_entry_file(i.address):
            yield i.address, "STI in the entry file"
        elif (second.mnemonic, third.mnemonic) != ("nop", "cli"):
            yield i.address, f"STI; `{second.text}`; `{third.text}` is no window"


@check("frame")
def frame(subject):
    """Each way in builds the whole of struct limen_regs, and each way out restores all of it."""
    yield from subject.by_walking("frame")
    yield from subject.by_walking("entry")
    if subject.walker.ways_out != {"sysretq", "iretq", "retq"}:
        yield 0, f"the ways out that were found: {sorted(subject.walker.ways_out)}"


@check("sysret")
def sysret(subject):
    """SYSRET only with a frame that SYSCALL built and nothing wrote, without TF and RF."""
    yield from subject.by_walking("sysret")
    places = [function for function, i in subject.all_instructions()
              if i.mnemonic.startswith("sysret")]
    if [subject.image.function_at(subject.image.address_of(place)).name for place in places] != \
       ["exit_to", "fast_exit"]:
        yield 0, f"there are SYSRETs in {places}"
    # The fast exit does not look: those who jump to it have (arch_is_from_syscall in the kernel with
    # its checks).
    allowed = set(subject.policy["fast_exit"]["functions"])
    fast_exit = subject.image.address_of("fast_exit")
    users = {function for function, i in subject.all_instructions()
             if i.operands[:1] == (Target(fast_exit),)}
    if users != allowed:
        yield fast_exit, f"fast_exit is reached from {sorted(users)}"
    for name in ("fast_call", "fast_reply_wait"):
        needed = subject.layout["RFLAGS_TF"] | subject.layout["RFLAGS_RF"]
        looks = [i for i in subject.instructions_of(name) if i.mnemonic == "testl" and
                 i.operands[0] == Immediate(needed) and
                 getattr(i.operands[1], "displacement", None) == subject.regs["rflags"]]
        if not looks:
            yield subject.image.address_of(name), f"{name} does not look at TF and RF"


@check("written-frame")
def written_frame(subject):
    """A frame that is written is ring 3's, with IF, without IOPL, and no longer SYSCALL's."""
    layout, start = subject.layout, subject.image.address_of("arch_regs_set")
    body = [i for i in subject.instructions_of("arch_regs_set")
            if i.operands and isinstance(i.operands[0], Immediate)]
    stored = {i.operands[1].displacement: i.operands[0].value for i in body
              if i.mnemonic == "movq" and isinstance(i.operands[1], Memory)}
    for field, value in (("cs", layout["USER_CS"]), ("ss", layout["USER_SS"]), ("error", 0)):
        if stored.get(subject.regs[field]) != value:
            yield start, f"{field} is not set to {value:#x}"
    kept = [i.operands[0].value for i in body if i.mnemonic.startswith("and")]
    added = [i.operands[0].value for i in body if i.mnemonic.startswith("or")]
    own = sum(value for name, value in layout.items() if name.startswith("RFLAGS_") and
              name not in ("RFLAGS_FIXED", "RFLAGS_IF", "RFLAGS_IOPL"))
    if not kept or any(value & ~own for value in kept):
        yield start, "flags are taken that are not ring 3's to set"
    if not any(value & layout["RFLAGS_IF"] for value in added):
        yield start, "IF is not set"


@check("iret")
def iret(subject):
    """The IRETQ to ring 3 may fault, and the exception table knows it."""
    yield from subject.by_walking("iret")
    image = subject.image
    start, end = image.address_of("exception_table"), image.address_of("exception_table_end")
    rows = list(struct.iter_unpack("<QQ", image.read(start, end - start)))
    if rows != [(image.address_of("exit_iret"), image.address_of("iret_fault"))]:
        yield start, "exception_table is not exit_iret and its handler"


@check("nmi-exit")
def nmi_exit(subject):
    """No IRETQ, which would unblock NMIs, where C asks to leave an NMI's stack without."""
    yield from subject.by_walking("nmi")


@check("vectors")
def vectors(subject):
    """Only #DF, NMI, #DB and #MC have a stack of the IST; ring 3 may raise only #BP and #OF."""
    layout = subject.layout
    ist = {DOUBLE_FAULT: layout["IST_DF"], NMI: layout["IST_NMI"], DEBUG: layout["IST_DB"],
           MACHINE_CHECK: layout["IST_MC"]}
    seen = set()
    for vector, entry, index, dpl in subject.walker.vectors():
        seen.add(vector)
        if index != ist.get(vector, 0):
            yield entry, f"vector {vector} has stack {index} of the IST"
        if dpl != (3 if vector in (3, 4) else 0):
            yield entry, f"vector {vector} can be raised from ring {dpl}"
    missing = set(range(256)) - seen - {9, 15, *range(22, 28), 31}
    if missing or len(set(ist.values())) != 4:
        yield 0, f"no gate for vectors {sorted(missing)}, or one stack for two"
    gate = [i for i in subject.instructions_of("descriptors_init")
            if i.mnemonic == "orb" and i.operands[0] == Immediate(-114)]
    if not gate:
        yield subject.image.address_of("descriptors_init"), "gates are not interrupt gates"


@check("nesting")
def nesting(subject):
    """While an NMI, #DB or #MC is served, the next one of its kind takes another stack."""
    body = subject.instructions_of("arch_paranoid")

    def first(wanted):
        return next((i.address for i in body if wanted(i)), 0)

    def calls(name):
        return lambda i: i.mnemonic == "callq" and not i.indirect and \
            subject.image.name_at(i.operands[0].address) == name

    serving = {"IST_NMI": first(calls("kernel_count")), "IST_MC": first(calls("machine_check")),
               "IST_DB": first(lambda i: i.operands[:1] == (Register("dr6"),))}
    for index, served in serving.items():
        field = Memory("gs", TSS_IST + 8 * (subject.layout[index] - 1), "", "", 1)
        moved = [i.address for i in body if i.mnemonic == "movq" and i.operands[1] == field]
        if len(moved) < 2 or moved[0] > served:
            yield body[0].address, f"the stack of {index} does not move before it is served, " \
                                   "or not out of the hole behind"
    counts = [i.mnemonic for i in subject.instructions_of("interrupt_entry")
              if i.mnemonic in ("incl", "decl")]
    if counts != ["incl", "decl"]:
        yield subject.image.address_of("interrupt_entry"), \
            "the interrupt stack is entered without counting"


@check("guards")
def guards(subject):
    """No two of a processor's stacks touch: a hole, and nobody else's, lies below each."""
    slot_size, row = 0x4000, 16
    table = subject.image.symbols["cpu_stacks"]
    used, holes = {}, set()
    for at in range(table.address, table.address + table.size, row):
        _, slot, instances, ist, _, size = struct.unpack("<QBBBBH2x",
                                                         subject.image.read(at, row))
        for instance in range(instances):
            if slot - instance in used:
                yield at, f"two stacks in slot {slot - instance}"
            used[slot - instance] = size
        if ist and instances > 1:
            holes.add(slot - instances)
        for which in range(slot - instances + 1, slot + 1):
            if size > slot_size:
                yield at, f"the stack in slot {which} is larger than the slot"
    for slot in holes & set(used):
        yield table.address, f"the hole in slot {slot} is another's stack"
    for slot, size in used.items():
        if size == slot_size and used.get(slot - 1, 0) > 0:
            yield table.address, f"nothing is unmapped below the stack in slot {slot}"
        if size == slot_size and slot == 0:
            yield table.address, "nothing is unmapped below the first slot"


@check("sections")
def sections(subject):
    """No segment both writable and executable, none outside of the kernel's addresses."""
    for segment in subject.image.segments:
        if segment.flags & PF_W and segment.flags & PF_X:
            yield segment.address, "a segment is both writable and executable"
        if segment.address < subject.boot["LIMEN_KERNEL_BASE"] or segment.address % 4096:
            yield segment.address, "a segment lies outside of the kernel's pages"
    for name in ("vector_table", "exception_table", "system_calls", "operations", "symbol_table"):
        if not subject.image.is_constant(subject.image.address_of(name)):
            yield subject.image.address_of(name), f"{name} can be written"


@check("mappings")
def mappings(subject):
    """The entries that the kernel makes of its own for data are not ring 3's."""
    present, user, no_execute = 0x001, 0x004, 1 << 63
    entries = 0
    for function, i in subject.all_instructions():
        value = i.operands[0].value % (1 << 64) \
            if i.operands and isinstance(i.operands[0], Immediate) else 0
        if value & ~0xFFF != no_execute or not value & present:
            continue
        entries += 1
        if value & user:
            yield i.address, f"{function} makes entries {value:#x}, which ring 3 can use"
    if not entries:
        yield 0, "no entry of the kernel's own was found"


@check("translations")
def translations(subject):
    """What takes mappings away drops them from the TLB, loaded and not, with PCIDs and without."""
    for function, wanted in subject.policy["translations"].items():
        found = {"mov cr3" if i.operands[-1:] == (Register("cr3"),) else i.mnemonic
                 for i in subject.instructions_of(function)}
        for name in sorted(set(wanted) - found):
            yield subject.image.address_of(function), f"{function} has no {name}"


@check("locks")
def locks(subject):
    """WP and NX are switched on always, SMEP, SMAP, UMIP and the rest where there are."""
    symbol, row = subject.image.symbols["features"], 24
    cr4 = 0
    for at in range(symbol.address, symbol.address + symbol.size, row):
        cr4 |= struct.unpack("<QIBB?xQ", subject.image.read(at, row))[5]
    needed = {"SMEP": 1 << 20, "SMAP": 1 << 21, "UMIP": 1 << 11}
    for name, bit in needed.items():
        if not cr4 & bit:
            yield symbol.address, f"CR4.{name} is never set"
    body = subject.instructions_of("arch_init")
    for index, i in enumerate(body):
        if i.mnemonic == "movq" and i.operands[-1:] == (Register("cr0"),):
            value = subject.constant_before(body, index, "eax")
            if value is None or not value & 1 << 16:
                yield i.address, "CR0.WP is not set"
    body = subject.instructions_of("descriptors_init")
    ors = [i.operands[0].value for i in body
           if i.mnemonic == "orl" and isinstance(i.operands[0], Immediate)]
    if not any(value & EFER_NXE for value in ors):
        yield subject.image.address_of("descriptors_init"), "EFER.NXE is not set"


@check("ports")
def ports(subject):
    """The TSS has no I/O bitmap, so every port is closed to ring 3."""
    bodies = subject.instructions_of("descriptors_init")
    limits = [i.operands[0].value for i in bodies if i.mnemonic == "movw" and
              isinstance(i.operands[0], Immediate) and isinstance(i.operands[1], Memory) and
              i.operands[1].displacement == 0x6a]
    if not limits or min(limits) <= TSS_LIMIT:
        yield subject.image.address_of("descriptors_init"), \
            f"the TSS's I/O bitmap begins at {limits}, within the TSS"


def reaches_return_without(subject, start, wanted):
    """Whether a way from an instruction to the function's end meets none that is wanted."""
    symbol = subject.image.function_at(start)
    end, seen, waiting = subject.image.end_of(symbol), set(), [start]
    while waiting:
        at = waiting.pop()
        while at not in seen and symbol.address <= at < end:
            seen.add(at)
            i = subject.image.instructions[at]
            if i.mnemonic in wanted:
                break
            if i.mnemonic == "retq":
                return True
            if i.mnemonic.startswith("j") and not i.indirect:
                target = i.operands[0].address
                if not symbol.address <= target < end:
                    return True
                waiting.append(target)
                if i.mnemonic == "jmp":
                    break
            at = i.next
    return False


@check("fpu")
def fpu(subject):
    """The FPU is never open to a thread without that thread's own state in it."""
    loads = {"xrstor64", "fxrstor64"}
    opened = 0
    for _, i in subject.all_instructions():
        if i.mnemonic == "clts":
            opened += 1
            if reaches_return_without(subject, i.next, loads):
                yield i.address, "CLTS opens the FPU, and no state is loaded"
    saves = {i.mnemonic for i in subject.instructions_of("fpu_switch")}
    if not {"xsaveopt64", "xsave64", "fxsave64"} <= saves or opened < 2:
        yield subject.image.address_of("fpu_switch"), "a thread's state is not saved"
    closes = [i for i in subject.instructions_of("fpu_switch")
              if i.operands[-1:] == (Register("cr0"),) and i.mnemonic == "movq"]
    if not closes:
        yield subject.image.address_of("fpu_switch"), "the FPU stays open for a thread without it"
    if "fpu_switch" not in subject.functions["arch_switch_slow"].calls:
        yield subject.image.address_of("arch_switch_slow"), "threads switch without their FPU state"


@check("bases")
def bases(subject):
    """Whoever switches the kernel stack also switches FS base and GS base, or asks for more."""
    switch = ["rdfsbaseq", "wrfsbaseq", "swapgs", "rdgsbaseq", "wrgsbaseq", "swapgs"]
    rsp0, unusual = (Memory("gs", subject.layout[name], "", "", 1)
                     for name in ("CPU_RSP0", "CPU_UNUSUAL"))
    fast_exit = Target(subject.image.address_of("fast_exit"))

    def looks(name):
        return any(unusual in i.operands for i in subject.instructions_of(name))

    def callers(symbol):
        return {name for name, i in subject.all_instructions()
                if i.operands[:1] == (Target(symbol.address),)}

    switchers = 0
    for symbol in subject.c_functions():
        body = list(subject.image.body(symbol))
        writes = [i for i in body if i.mnemonic.startswith("mov") and i.operands[1:] == (rsp0,)]
        if not writes:
            continue
        switchers += 1
        names = [i.mnemonic for i in body if i.mnemonic in switch]
        called = [symbol.name, *subject.functions[symbol.name].calls]
        slow = any("arch_switch_slow" in subject.functions[name].calls for name in called
                   if name in subject.functions)
        if names == switch and not slow:
            yield writes[0].address, f"{symbol.name} never takes the slow path"
        if names != switch and not any(i.operands[:1] == (fast_exit,) for i in body):
            yield writes[0].address, f"{symbol.name} switches threads without their bases"
        if not looks(symbol.name) and not all(map(looks, callers(symbol))):
            yield writes[0].address, f"{symbol.name} switches without a look at what is unusual"
    if not switchers:
        yield 0, "nothing switches the kernel stack"


@check("selectors")
def selectors(subject):
    """Ring 3's data segment is closed only after all four selectors were looked at."""
    descriptor = Memory("gs", subject.layout["CPU_GDT"] + subject.layout["USER_SS"] - 3, "", "", 1)
    for symbol in subject.c_functions():
        body = list(subject.image.body(symbol))
        closes = [i for i in body if i.mnemonic == "movq" and
                  i.operands == (Immediate(0), descriptor)]
        read = {i.operands[0].name for i in body if i.mnemonic == "movl" and
                isinstance(i.operands[0], Register)}
        if closes and not {"ds", "es", "fs", "gs"} <= read:
            yield closes[0].address, f"{symbol.name} closes the segment without a look"
    opened = [i.operands for i in subject.instructions_of("exit_to") if i.mnemonic == "movl" and
              isinstance(i.operands[1], Memory) and
              i.operands[1].displacement == descriptor.displacement + 4]
    if opened != [(Immediate(subject.layout["USER_DATA_HIGH"]),
                   Memory("gs", descriptor.displacement + 4, "", "", 1))]:
        yield subject.image.address_of("exit_to"), "the IRETQ to ring 3 does not open the segment"


@check("debug-registers")
def debug_registers(subject):
    """Debug registers change only at boot and where a debug trap is acknowledged."""
    allowed = subject.policy["debug_registers"]["functions"]
    for function, i in subject.all_instructions():
        if re.search(r"%dr\d$", i.text) and function not in allowed:
            yield i.address, f"`{i.text}` in {function}"
    written = {i.operands[-1].name for i in subject.instructions_of("descriptors_init")
               if isinstance(i.operands[-1] if i.operands else None, Register)}
    if not {"dr6", "dr7"} <= written:
        yield subject.image.address_of("descriptors_init"), "the firmware's breakpoints stay"


@check("local-table")
def local_table(subject):
    """The local descriptor table, which a reset leaves usable, is given up at boot."""
    if not any(i.mnemonic.startswith("lldt") for i in subject.instructions_of("descriptors_init")):
        yield subject.image.address_of("descriptors_init"), "LDTR stays as the firmware left it"


@check("indirect")
def indirect(subject):
    """Indirect calls and jumps only by constant tables, in the functions that are declared."""
    for function in subject.functions.values():
        for i in function.unresolved:
            yield i.address, f"`{i.text}` in {function.name}: nobody declares where it goes"
    for _, i in subject.all_instructions():
        if subject.in_entry_file(i.address) and i.indirect:
            yield i.address, f"`{i.text}` in the entry file"


@check("stack-depth")
def stack_depth(subject):
    """The stack that each way into C needs is bounded, far below a stack's size; no recursion."""
    for function in subject.functions.values():
        for address, what in function.strange:
            yield address, f"{function.name} {what}"
    limits = subject.policy["stack"]
    graph = CallGraph(subject.functions, {"arch_panic"})
    ways = {name: limits["limit"] for name in subject.walker.called if name != "kernel_main"}
    ways |= {"kernel_main": limits["limit"], "arch_panic": limits["panic_limit"]}
    for name, limit in ways.items():
        depth, chain = graph.depth(name)
        if depth > limit:
            yield subject.image.address_of(name), \
                f"{name} needs {depth} bytes of stack, more than {limit}: {' > '.join(chain)}"
    for circle in graph.circles:
        yield subject.image.address_of(circle[0]), f"recursion: {' > '.join(circle)}"


def findings(path):
    subject = Subject(path)
    for name, function in CHECKS.items():
        for address, what in function(subject):
            where = f"{subject.image.name_at(address)} at {address:x}" if address else "the image"
            yield f"{name}: {where}: {what}"


def main(arguments):
    if arguments == ["--list"]:
        for name, function in CHECKS.items():
            print(f"{name}: {function.__doc__}")
        return 0
    found = [f"{path}: {finding}" for path in arguments for finding in findings(path)]
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
