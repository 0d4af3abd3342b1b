# SPDX-License-Identifier: MIT
"""Follows every path through the entry file, with names for values instead of numbers.

A path begins at a way in (SYSCALL, each stub of vector_table, the loader's jump) with what the
processor leaves there, and ends at an instruction that leaves: SYSRETQ, IRETQ, or the RET that takes
its place under an NMI.  On the way the walker knows what each register and each word of the stack
holds, whose GS base is loaded, and what the flags are; C is a call that keeps the registers the ABI
says it keeps, and may write the frame.  What must hold at each call of C and at each way out is
asked of that state.
"""

import re
import struct
from dataclasses import dataclass, field, replace

from kernel_image import Immediate, Register, Target

GENERAL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13",
           "r14", "r15")
PRESERVED = {"rbx", "rbp", "r12", "r13", "r14", "r15", "rsp"}
NARROW = {**{f"e{r}": f"r{r}" for r in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
          **{f"r{n}d": f"r{n}" for n in range(8, 16)}, **{f"{r}l": f"r{r}x" for r in "abcd"}}

# Vectors with which the processor pushes an error code (SDM vol. 3, table 6-1; AMD APM vol. 2, 8.2).
WITH_ERROR_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}
FIRST_INTERRUPT = 32
DEBUG, NMI, DOUBLE_FAULT, MACHINE_CHECK = 1, 2, 8, 18
ANYWHERE = {DEBUG, NMI, DOUBLE_FAULT, MACHINE_CHECK}  # these find any GS base and any stack

MSR_GS_BASE = 0xC0000101
STEPS_MAX = 400

# Functions of C that the entry file jumps to, and what fast_exit gets from them (entry.S).
FAST_PATH = ("fast_call", "fast_reply_wait")
FAST_EXIT = {"rdi": "badge", "rsi": "tag", "rdx": "low words' frame", "rcx": "high words' frame",
             "r8": "from", "r9": "to"}
LOW_WORDS, HIGH_WORDS = ("rdx", "r10", "r8", "r9"), ("r12", "r13", "r14", "r15")

LEFT = object()  # what the step over an instruction that leaves returns


@dataclass(frozen=True)
class At:
    """An address: some value, and an offset from it."""

    base: object
    offset: int


@dataclass(frozen=True)
class Initially:
    """What a register held, or a word the processor pushed said, on the way in."""

    name: str


@dataclass(frozen=True)
class Slot:
    """What memory holds that C may have written: a frame's word, or one of the processor's block."""

    base: object
    offset: int


@dataclass(frozen=True)
class Opaque:
    what: object


@dataclass
class State:
    pc: int
    registers: dict
    memory: dict = field(default_factory=dict)
    gs: str = "unknown"      # "user", "kernel", "unknown", "saved" (read, to be restored), "restored"
    flags: str = "user"      # "user", "clear", "frame" (as the frame says)
    interrupted: str = ""    # what the way in interrupted: "user", "kernel", "" not known yet
    by_cs: bool = True       # the saved CS, and the address of the IRETQ, tell whose GS base it is
    frame: object = None     # where the frame lies, once a function of C has seen it
    facts: tuple = ()        # what branches have told: (instruction's text, operand, outcome)
    compared: object = None
    bases: tuple = ()        # what FS and GS base were set to
    trace: tuple = ()

    def copy(self, **changes):
        return replace(self, registers=dict(self.registers), memory=dict(self.memory), **changes)


class Wrong(Exception):
    def __init__(self, check, address, what):
        super().__init__(what)
        self.check, self.address, self.what = check, address, what


def offset(value, by):
    if isinstance(value, At):
        return At(value.base, value.offset + by)
    return At(value, by)


def plain(value):
    return value.base if isinstance(value, At) and value.offset == 0 else value


class EntryWalker:
    def __init__(self, image, regs, constants):
        self.image = image
        self.regs = regs            # REGS_* of regs.h, by lower-case name
        self.constants = constants  # of layout.h
        self.size = regs["size"]
        self.exit_iret = image.address_of("exit_iret")
        self.findings = []
        self.called = {}            # functions of C that the entries call, and where
        self.ways_out = set()
        functions = ("_start", "syscall_entry", "exit_to", "arch_syscall_invoke", "arch_exit",
                     "fast_exit", "exception_entry", "interrupt_entry", "ist_entry",
                     "paranoid_entry", "vector_stubs")
        self.ranges = [(f.address, image.end_of(f)) for f in
                       (image.function_named(name) for name in functions)]
        self.table = image.address_of("exception_table")
        self.table_end = image.address_of("exception_table_end")

    # -- the ways in --

    def walk_all(self):
        registers = {name: Initially(name) for name in GENERAL}
        self._walk(State(self.image.address_of("_start"), {**registers, "rsp": At("boot stack", 0)},
                         gs="boot", interrupted="firmware"))
        self._walk(State(self.image.address_of("syscall_entry"),
                         {**registers, "rcx": Initially("rip"), "r11": Initially("rflags"),
                          "rsp": Initially("rsp")},
                         gs="user", flags="clear", interrupted="user"))
        seen = set()
        for vector, entry, ist, _ in self.vectors():
            state = self._after_stub(vector, entry, registers)
            kind = (state.pc, state.by_cs) if state else None
            if state and (kind not in seen or vector in ANYWHERE):
                seen.add(kind)
                self._walk(state)
        return self.findings

    def vectors(self):
        address = self.image.address_of("vector_table")
        for vector in range(256):
            entry, ist, dpl = struct.unpack("<QII", self.image.read(address + 16 * vector, 16))
            if entry:
                yield vector, entry, ist, dpl

    def _after_stub(self, vector, entry, registers):
        """Runs a stub up to its jump; what it pushed must complete the frame down to the origin."""
        words = ["ss", "rsp", "rflags", "cs", "rip"] + ["error"] * (vector in WITH_ERROR_CODE)
        memory = {("stack", -8 * (n + 1)): Initially(word) for n, word in enumerate(words)}
        state = State(entry, {**registers, "rsp": At("stack", -8 * len(words))}, memory,
                      by_cs=vector not in ANYWHERE)
        if vector >= FIRST_INTERRUPT:
            state.by_cs = True
        try:
            while not isinstance(self._instruction(state).operands[0], Target):
                state, = self._step(state)
            state, = self._step(state)
            origin = At("stack", self.regs["origin"] - self.size)
            if state.registers["rsp"] != origin:
                raise Wrong("frame", entry, f"vector {vector}'s stub leaves RSP at "
                                            f"{state.registers['rsp']}, not at the origin slot")
            if state.memory.get(("stack", origin.offset)) != Immediate(vector):
                raise Wrong("frame", entry, f"vector {vector}'s stub pushes another number")
        except Wrong as wrong:
            self._note(wrong)
            return None
        return state

    # -- walking --

    def _note(self, wrong):
        finding = (wrong.check, wrong.address, wrong.what)
        if finding not in self.findings:
            self.findings.append(finding)

    def _walk(self, first):
        waiting = [first]
        while waiting:
            state = waiting.pop()
            try:
                waiting += self._step(state)
            except Wrong as wrong:
                self._note(wrong)

    def _instruction(self, state):
        if not any(start <= state.pc < end for start, end in self.ranges):
            raise Wrong("entry", state.pc, "an entry's path leaves the entry file")
        if len(state.trace) > STEPS_MAX:
            raise Wrong("entry", state.pc, "an entry's path does not end")
        return self.image.instructions[state.pc]

    def _step(self, state):
        instruction = self._instruction(state)
        state = state.copy(trace=state.trace + (state.pc,), pc=instruction.next)
        name = re.sub(r"(?<=mov|ush|pop|cmp|add|sub|inc|dec|est|ret|all|opf|xor|shr)[bwlq]$", "",
                      instruction.mnemonic)
        if instruction.mnemonic in ("je", "jne", "jmp"):
            return self._branch(state, instruction)
        method = getattr(self, "_do_" + name.replace(" ", "_"), None)
        if method is None:
            raise Wrong("entry", instruction.address,
                        f"`{instruction.text}` is not known to the walker of entries")
        return [] if method(state, instruction) is LEFT else [state]

    def _branch(self, state, instruction):
        target = instruction.operands[0].address
        if instruction.mnemonic == "jmp":
            state.pc = target
            return [state]
        if self.image.name_at(target) in FAST_PATH:
            return [state] + self._fast_path(state, instruction)
        taken = state.copy(pc=target)
        results = []
        for way, outcome in ((taken, instruction.mnemonic == "je"),
                             (state, instruction.mnemonic == "jne")):
            way = self._learn(way, outcome)
            if way:
                results.append(way)
        return results

    def _fast_path(self, state, i):
        """A jump to the fast path, which comes back by a jump to one of four places."""
        name = self.image.name_at(i.operands[0].address)
        gone = state.copy()
        gone.memory = dict(state.memory)
        frame = offset(gone.registers["rsp"], 0)
        for register in ("rdi", "rsi"):
            saved = Slot(frame.base, frame.offset + self.regs[register])
            if gone.registers[register] not in (Initially(register), saved):
                raise Wrong("frame", i.address, f"{name} is given another {register} than ring 3's")
        gone.registers["rdi"] = frame
        self._enter_c(gone, i, name)
        ways = {"arch_syscall_general": {},
                "arch_syscall_invoke": {"rdi": Opaque("capability"), "rsi": gone.frame},
                "arch_exit": {"rdi": Opaque("chosen frame")},
                "fast_exit": {register: Opaque(what) for register, what in FAST_EXIT.items()}}
        results = []
        for place, registers in ways.items():
            back = gone.copy(pc=self.image.address_of(place))
            back.registers.update({r: Opaque(("left by", name, r)) for r in GENERAL})
            back.registers.update(registers, rsp=gone.frame)
            results.append(back)
        return results

    def _learn(self, state, zero):
        """What the branch tells: `zero` is the zero flag's value on this way."""
        if not state.compared:
            return state
        kind, value, constant = state.compared
        state.facts += ((kind, value, constant, zero),)
        if kind == "test" and value == Initially("cs") and constant == 3:
            if state.interrupted and (state.interrupted == "kernel") != zero:
                return None
            state.interrupted = "kernel" if zero else "user"
            if state.gs == "unknown" and not zero:
                state.gs = "user"
        if kind == "cmp" and value == Initially("rip") and state.interrupted == "kernel":
            if constant == self.exit_iret and state.by_cs and state.gs == "unknown":
                state.gs = "user" if zero else "kernel"
        return state

    # -- operands --

    def _register(self, name):
        return NARROW.get(name, name)

    def _place(self, state, memory, address):
        if memory.segment == "gs":
            self._needs_kernel_gs(state, address)
            return ("cpu", memory.displacement)
        base = state.registers[self._register(memory.base)]
        self._no_user_stack(state, base if memory.base == "rsp" else None, address)
        at = offset(base, memory.displacement)
        return (plain(At(at.base, 0)), at.offset)

    def _load(self, state, operand, address):
        if isinstance(operand, Register):
            return state.registers[self._register(operand.name)]
        if isinstance(operand, Immediate):
            return operand
        place = self._place(state, operand, address)
        return state.memory.get(place, Slot(*place))

    def _store(self, state, operand, value, address):
        if isinstance(operand, Register):
            state.registers[self._register(operand.name)] = value
        else:
            state.memory[self._place(state, operand, address)] = value

    def _push(self, state, value, address):
        self._no_user_stack(state, state.registers["rsp"], address)
        rsp = offset(state.registers["rsp"], -8)
        state.registers["rsp"] = rsp
        state.memory[(rsp.base, rsp.offset)] = value

    def _pop(self, state, address):
        self._no_user_stack(state, state.registers["rsp"], address)
        rsp = offset(state.registers["rsp"], 0)
        state.registers["rsp"] = offset(rsp, 8)
        return state.memory.get((rsp.base, rsp.offset), Slot(rsp.base, rsp.offset))

    def _no_user_stack(self, state, rsp, address):
        if rsp is not None and plain(rsp) == Initially("rsp"):
            raise Wrong("red-zone", address, "ring 0 uses ring 3's stack")

    def _needs_kernel_gs(self, state, address):
        """An interrupt out of the kernel finds the kernel's base: it comes in windows alone."""
        if state.gs == "unknown" and state.by_cs and state.interrupted == "kernel":
            if not any(fact[1] == Initially("rip") for fact in state.facts) and \
               self.image.name_at(state.trace[0]) != "interrupt_entry" and \
               "interrupt_entry" not in {self.image.name_at(at) for at in state.trace}:
                raise Wrong("gs", address, "GS is used where the IRETQ that faulted may have "
                                           "left ring 3's base")
            state.gs = "kernel"
        if state.gs != "kernel":
            raise Wrong("gs", address, f"GS is used with a base that is {state.gs}, "
                                       "not the kernel's")

    # -- instructions --

    def _do_push(self, state, i):
        self._push(state, self._load(state, i.operands[0], i.address), i.address)

    def _do_pop(self, state, i):
        self._store(state, i.operands[0], self._pop(state, i.address), i.address)

    def _do_mov(self, state, i):
        source, target = i.operands
        value = self._load(state, source, i.address)
        if isinstance(target, Register) and target.name == "rsp" and plain(value) == \
                Initially("rsp") and state.gs == "kernel":
            raise Wrong("red-zone", i.address, "ring 0 returns to ring 3's stack")
        self._store(state, target, plain(value), i.address)

    def _do_leaq(self, state, i):
        memory, target = i.operands
        base = state.registers[self._register(memory.base)]
        self._store(state, target, offset(base, memory.displacement), i.address)

    def _do_orl(self, state, i):
        place = self._place(state, i.operands[1], i.address)
        state.memory[place] = Opaque(("changed", place))
        state.compared = None

    def _do_rdfsbaseq(self, state, i):
        self._store(state, i.operands[0], Opaque("fs base"), i.address)

    def _do_rdgsbaseq(self, state, i):
        if state.gs != "user":
            raise Wrong("gs", i.address, "the kernel's GS base is taken for ring 3's")
        self._store(state, i.operands[0], Opaque("gs base"), i.address)

    def _do_wrfsbaseq(self, state, i):
        state.bases += (("fs", state.registers[self._register(i.operands[0].name)]),)

    def _do_wrgsbaseq(self, state, i):
        if state.gs != "user":
            raise Wrong("gs", i.address, "the kernel's GS base gets ring 3's value")
        state.bases += (("gs", state.registers[self._register(i.operands[0].name)]),)

    def _do_xor(self, state, i):
        if i.operands[0] != i.operands[1]:
            raise Wrong("entry", i.address, f"`{i.text}` is not known to the walker of entries")
        self._store(state, i.operands[0], Immediate(0), i.address)

    def _add(self, state, i, sign):
        by = self._load(state, i.operands[0], i.address)
        value = self._load(state, i.operands[1], i.address)
        self._store(state, i.operands[1], offset(value, sign * by.value), i.address)

    def _do_add(self, state, i):
        self._add(state, i, 1)

    def _do_sub(self, state, i):
        self._add(state, i, -1)

    def _do_shr(self, state, i):
        self._store(state, i.operands[1], Opaque(("high", self._load(state, i.operands[1], 0))),
                    i.address)

    def _do_inc(self, state, i):
        place = self._place(state, i.operands[0], i.address)
        state.memory[place] = Opaque(("changed", place))
        state.compared = None

    _do_dec = _do_inc

    def _do_cmp(self, state, i):
        constant = self._load(state, i.operands[0], i.address)
        state.compared = ("cmp", self._load(state, i.operands[1], i.address),
                          constant.value % (1 << 64))

    def _do_test(self, state, i):
        constant = self._load(state, i.operands[0], i.address)
        state.compared = ("test", self._load(state, i.operands[1], i.address),
                          constant.value if isinstance(constant, Immediate) else None)

    def _do_rep_movs(self, state, i):
        source, target = (plain(state.registers[name]) for name in ("rsi", "rdi"))
        count = state.registers["rcx"].value
        if state.flags != "clear":
            raise Wrong("flags", i.address, "a string instruction runs with ring 3's DF")
        source, target = offset(source, 0), offset(target, 0)
        for n in range(count):
            place = (source.base, source.offset + 8 * n)
            state.memory[(target.base, target.offset + 8 * n)] = state.memory.get(place,
                                                                                  Slot(*place))
        state.registers.update(rsi=offset(source, 8 * count), rdi=offset(target, 8 * count),
                               rcx=Immediate(0))

    _do_rep_movsq = _do_rep_movs

    def _do_swapgs(self, state, i):
        if state.gs not in ("user", "kernel"):
            raise Wrong("gs", i.address, f"SWAPGS where the GS base is {state.gs}")
        state.gs = "kernel" if state.gs == "user" else "user"

    def _do_rdmsr(self, state, i):
        if state.registers["rcx"] != Immediate(MSR_GS_BASE):
            raise Wrong("gs", i.address, "an entry reads another MSR than the GS base")
        for register, half in (("rax", "low"), ("rdx", "high")):
            state.registers[register] = Opaque(("gs", half))

    def _do_wrmsr(self, state, i):
        low, high = state.registers["rax"], state.registers["rdx"]
        if state.registers["rcx"] != Immediate(MSR_GS_BASE):
            raise Wrong("gs", i.address, "an entry writes another MSR than the GS base")
        above = Slot("stack", 0)  # the word above an IST stack: the processor's block
        if (low, high) == (above, Opaque(("high", above))):
            state.gs = "kernel"
        elif (low, high) == (Opaque(("gs", "low")), Opaque(("gs", "high"))):
            state.gs = "restored"
        else:
            raise Wrong("gs", i.address, "an entry writes a GS base that is neither the "
                                         "processor's block nor what it found")

    def _do_popf(self, state, i):
        value = self._pop(state, i.address)
        if value == Immediate(self.constants["RFLAGS_FIXED"]):
            state.flags = "clear"
            return
        following = self.image.instructions[i.next]
        if not following.mnemonic.startswith("ret"):
            raise Wrong("flags", i.address, "flags are set to what memory says, and not to leave")
        state.flags = value

    def _do_call(self, state, i):
        function = self.image.name_at(i.operands[0].address)
        if offset(state.registers["rsp"], 0).offset % 16:
            raise Wrong("frame", i.address, f"{function} is called with a stack that is not "
                                            "aligned to 16")
        self._enter_c(state, i, function)

    def _enter_c(self, state, i, function):
        self.called.setdefault(function, i.address)
        if state.flags != "clear":
            raise Wrong("flags", i.address, f"{function} is called with ring 3's DF and AC")
        if function == "kernel_main":
            state.gs = "kernel"
        self._needs_kernel_gs(state, i.address)
        rsp = state.registers["rsp"]
        self._no_user_stack(state, rsp, i.address)
        if state.frame is None and state.interrupted != "firmware":
            # interrupt_entry keeps the frame in RBX; the others hand it over.
            where = state.registers["rdi"]
            if not isinstance(where, At):
                where = state.registers["rbx"]
            self._frame_is_complete(state, where, i.address)
            state.frame = where
        for name in GENERAL:
            if name not in PRESERVED:
                state.registers[name] = Opaque(("left by", function, name))
        state.memory = {}
        state.compared = None

    def _frame_is_complete(self, state, frame, address):
        if not isinstance(frame, At):
            raise Wrong("frame", address, "C is called without a frame")
        expected = {name: Initially(name) for name in self.regs if name != "size"}
        if Immediate(-1) == state.memory.get((frame.base, frame.offset + self.regs["error"])):
            expected.update(error=Immediate(-1), origin=Initially("rax"), rcx=Initially("rip"),
                            r11=Initially("rflags"),
                            cs=Immediate(self.constants["USER_CS"]),
                            ss=Immediate(self.constants["USER_SS"]))
        for name, value in expected.items():
            found = state.memory.get((frame.base, frame.offset + self.regs[name]))
            if name in ("origin", "error") and isinstance(found, Immediate):
                continue  # a stub's own, looked at in _after_stub
            if found != value:
                raise Wrong("frame", address, f"the frame's {name} slot holds {found}, "
                                              f"not what {name} was")

    # -- the ways out --

    def _restored(self, state, i, rsp_slot):
        """Every register holds its slot of one frame, which is returned."""
        value = state.registers["rdx"]
        if not isinstance(value, Slot):
            raise Wrong("frame", i.address, "it leaves without a frame's registers")
        base, start = value.base, value.offset - self.regs["rdx"]
        for name in GENERAL:
            if state.registers[name] != Slot(base, start + self.regs[name]):
                raise Wrong("frame", i.address, f"it leaves with another {name} than the frame's")
        if rsp_slot is not None:
            slot = Slot(base, start + self.regs["rsp"])
            if plain(state.registers["rsp"]) != slot:
                raise Wrong("frame", i.address, "it leaves with another RSP than the frame's")
        elif state.registers["rsp"] != At(base, start + self.regs["rip"]):
            raise Wrong("frame", i.address, "IRETQ does not stand at the frame's RIP")
        return base, start

    def _leaves_to(self, state, base, start):
        """Which ring a test of the frame's CS has told on the way here."""
        cs = Slot(base, start + self.regs["cs"])
        for kind, value, constant, zero in state.facts:
            if kind == "test" and value == cs and constant == 3:
                return "kernel" if zero else "user"
        return None

    def _fast_restored(self, state, i):
        """By fast_exit: words from two frames, the rest from the frame of the thread that goes on,
        its bases instead of the other's, which are kept."""
        fields, to = self.constants, Opaque(FAST_EXIT["r9"])
        frame = Slot(to, fields["THREAD_REGS"])
        expected = {r: Slot(Opaque(FAST_EXIT["rdx"]), self.regs[r]) for r in LOW_WORDS}
        expected |= {r: Slot(Opaque(FAST_EXIT["rcx"]), self.regs[r]) for r in HIGH_WORDS}
        expected |= {r: Slot(frame, self.regs[r]) for r in ("rbx", "rbp", "rcx", "r11", "rsp")}
        expected |= {"rdi": Opaque(FAST_EXIT["rdi"]), "rsi": Opaque(FAST_EXIT["rsi"]),
                     "rax": Immediate(0)}
        for name, value in expected.items():
            if plain(state.registers[name]) != value:
                raise Wrong("frame", i.address, f"the fast exit leaves with {name} "
                                                f"{state.registers[name]}, not {value}")
        for base, place in (("fs", "THREAD_FS_BASE"), ("gs", "THREAD_GS_BASE")):
            kept = state.memory.get((Opaque(FAST_EXIT["r8"]), fields[place]))
            if kept != Opaque(f"{base} base") or (base, Slot(to, fields[place])) not in state.bases:
                raise Wrong("frame", i.address, f"the fast exit does not switch {base} base")

    def _do_sysret(self, state, i):
        self.ways_out.add("sysretq")
        if state.bases:
            if state.gs != "user":
                raise Wrong("gs", i.address, "SYSRET leaves with the kernel's GS base")
            self._fast_restored(state, i)
            return LEFT
        rsp = state.registers["rsp"]
        base, start = self._restored(state, i, "rsp" if isinstance(rsp, Slot) else None)
        if state.gs != "user":
            raise Wrong("gs", i.address, "SYSRET leaves with the kernel's GS base")
        if self._leaves_to(state, base, start) != "user":
            raise Wrong("sysret", i.address, "SYSRET without a look at the frame's CS")
        facts = {(fact[0], fact[1]): fact for fact in state.facts}
        error = facts.get(("cmp", Slot(base, start + self.regs["error"])))
        if not error or error[2:] != ((-1) % (1 << 64), True):
            raise Wrong("sysret", i.address, "SYSRET with a frame that SYSCALL did not build")
        flags = facts.get(("test", Slot(base, start + self.regs["rflags"])))
        needed = self.constants["RFLAGS_TF"] | self.constants["RFLAGS_RF"]
        if not flags or not flags[3] or flags[2] & needed != needed:
            raise Wrong("sysret", i.address, "SYSRET without a look at TF and RF, which it loses")
        return LEFT

    _do_sysretq = _do_sysret

    def _do_iret(self, state, i):
        self.ways_out.add("iretq")
        base, start = self._restored(state, i, None)
        if state.gs == "restored":
            if At(base, start) != state.frame:
                raise Wrong("gs", i.address, "a saved GS base goes with another frame")
            return LEFT
        ring = self._leaves_to(state, base, start)
        if ring != state.gs:
            raise Wrong("gs", i.address, f"IRETQ with the GS base of {state.gs} where the frame "
                                         f"is {ring or 'of a ring nobody asked for'}")
        if ring == "user" and i.address != self.exit_iret:
            raise Wrong("iret", i.address, "an IRETQ to ring 3 that the exception table does not "
                                           "name")
        return LEFT

    _do_iretq = _do_iret

    def _do_ret(self, state, i):
        """Without IRETQ: RFLAGS and RIP were put below the interrupted RSP (see the entry file)."""
        self.ways_out.add("retq")
        value = self._pop(state, i.address)
        rsp = state.registers["rsp"]
        if not isinstance(value, Slot) or state.gs != "restored":
            raise Wrong("nmi", i.address, "RET leaves without the GS base that was found")
        base, start = value.base, value.offset - self.regs["rip"]
        state.registers["rsp"] = plain(rsp)
        self._restored(state, i, "rsp")
        if state.flags != Slot(base, start + self.regs["rflags"]):
            raise Wrong("flags", i.address, "RET leaves with other flags than the frame's")
        return LEFT

    _do_retq = _do_ret
