# SPDX-License-Identifier: MIT
"""One machine, stopped at an instruction, and the means to make exceptions there (docs/injection.md)."""

import re
import struct

from kernel import Symbols
from machine import BUILD, printable
from remote import Remote, RemoteError

VECTOR_DB, VECTOR_NMI, VECTOR_DF, VECTOR_MC = 1, 2, 8, 18
INTERRUPTS = 32  # and above
FLAG_TF, FLAG_RF = 0x100, 0x10000

KINDS = {"NMI": VECTOR_NMI, "#DB": VECTOR_DB, "#MC": VECTOR_MC}

# Bank 9: valid, uncorrected, enabled, signalled, but no action required (SDM vol. 3, 16.6.3), as
# memory scrubbing reports.
MACHINE_CHECK = "mce 0 9 0xbd000000000000c0 0x5 0x1000 0x8c"
MSR_MCG_STATUS = 0x17A
WRMSR = b"\x0f\x30"

JUMP, JUMP_SIZE = 0xE9, 5  # jmp rel32

IST_WORDS = 7  # of the TSS
IST_DB = 3  # the word that is #DB's; arch/x86_64/layout.h counts from one
LONG_TICKS = 1 << 60
SEGMENT_SIZES = 4, 8  # of the flags that say whether it is open, and of its descriptor
USER_DATA = 4  # ring 3's data segment, in the GDT; arch/x86_64/layout.h
HANDLER_STEPS = 20000  # far more instructions than any handler has

NOTHING = re.compile(rb"(?!)")


class Injector:
    def __init__(self, machine, image):
        self.machine = machine
        self.image = image
        self.guest = Symbols(BUILD / "test" / "entry" / "paths.elf")
        self.remote = Remote(machine)
        self.vectors = ()
        self.scratch = image["_start"]  # no more needed by the kernel once it runs
        self.ist = self.ist_first = None
        self.segment = ()

    def prepare(self):
        """Stops in the guest at the first round."""
        self.remote.break_at(self.guest["path_begin"])
        while True:
            self.remote.resume()
            registers = self.remote.registers()
            if not registers.in_kernel:
                break
            # The firmware or the loader, at the same address.
            self.remote.step(registers)
        self.vectors = self.image.vectors(self.remote)
        ist, longest, turn, *segment = (registers.k_gs_base + offset for offset in self.image.offsets(
            "arch.tss.ist", "arch.max_irqs_off", "slice", "arch.unusual", f"arch.gdt[{USER_DATA}]"))
        self.segment = segment
        self.ist = ist
        self.ist_first = self.remote.read(ist, 8 * IST_WORDS)
        # What on a path depends on how fast the machine is: the longest stretch without interrupts
        # is a new one, a thread's turn is over.  Neither ever again.
        for place in (longest, turn):
            self.remote.write(place, LONG_TICKS.to_bytes(8, "little"))

    def last_words(self):
        """What the machine has said on its serial port."""
        self.machine.wait_for(NOTHING, 1)
        return printable(bytes(self.machine.serial))[-2000:]

    # Making exceptions.

    def arm(self, kind, registers):
        """Makes the exception pending for the moment before the next instruction."""
        if kind == "NMI":
            self.remote.monitor("nmi")
        elif kind == "#MC":
            said = self.remote.monitor(MACHINE_CHECK)
            if said:
                raise RemoteError(f"the emulator said: {said}")
        else:
            # A jump to where we are, with TF set: the trap comes after it.
            jump = struct.pack("<Bi", JUMP, registers.rip - self.scratch - JUMP_SIZE)
            self.remote.write(self.scratch, jump)
            self.remote.set(rip=self.scratch, eflags=registers.eflags | FLAG_TF)

    def inject(self, kind, before):
        """Injects at the present boundary and comes back to it.  What was wrong, or nothing.

        An IRETQ to ring 3 leaves its data segment open, and the next switch takes another way: it is
        closed again (docs/hazards/selectors.md).
        """
        if before.in_kernel:
            return self.disturb(kind, before)
        kept = [self.remote.read(place, size) for place, size in zip(self.segment, SEGMENT_SIZES)]
        wrong = self.disturb(kind, before)
        for place, value in zip(self.segment, kept):
            self.remote.write(place, value)
        return wrong

    def disturb(self, kind, before):
        self.arm(kind, before)
        leaving = self.image.leaving(before.rip)
        self.remote.break_at(*leaving)
        self.remote.resume()
        at = self.remote.registers()
        vector, target = self.left_for(at, leaving)
        while (vector or 0) >= INTERRUPTS:  # in a window one may come first
            self.remote.step(at)
            self.remote.resume()
            at = self.remote.registers()
            vector, target = self.left_for(at, leaving)
        if target is None:
            return f"not hit: next was {self.image.place(at.rip)}"
        if vector not in (None, KINDS[kind]) or target != before.rip:
            return f"not hit: vector {vector} to {self.image.place(target)} was"
        if at.rip in (self.image.before_iret, self.image.before_ret):
            at = self.remote.step(at)
        at = self.remote.step(at)
        differences = before.differences(at, FLAG_RF)
        return f"not survived: {'; '.join(differences)}" if differences else None

    def left_for(self, at, leaving):
        """(vector, RIP) of the frame by which the kernel is about to leave, if it is."""
        return self.image.leaves(self.remote, at) if at.rip in leaving else (None, None)

    def stop_at(self, address):
        self.remote.break_at(address)
        self.remote.resume()
        return self.remote.registers()

    def enter(self, kind, before):
        """Makes an exception at the present boundary and stops at its handler's first one."""
        self.arm(kind, before)
        return self.stop_at(self.vectors[KINDS[kind]])

    def leave(self, registers, target, visit=None):
        """Steps out of a handler to the boundary that it interrupted, and visits each on the way."""
        for _ in range(HANDLER_STEPS):
            if (registers.rip, registers.rsp) == (target.rip, target.rsp):
                break
            if visit:
                visit(registers)
            registers = self.remote.step(registers)
        else:
            raise RemoteError(f"not survived: {HANDLER_STEPS} instructions after the exception "
                              f"the kernel is at {self.image.place(registers.rip)}")
        differences = target.differences(registers, FLAG_RF)
        if differences:
            raise RemoteError(f"not survived: {'; '.join(differences)}")

    # Where another exception of the same kind would strike on the same stack.

    def use_first_stacks(self):
        """As after the boot, so that a handler goes the same way each time: which of its stacks an
        exception of ring 0 gets depends on how many there were."""
        self.remote.write(self.ist, self.ist_first)

    def debug_stack(self):
        return self.remote.words(self.ist + 8 * (IST_DB - 1), 1)[0]

    def ends_machine_check(self, registers):
        """Whether the next instruction tells the processor that a machine check has been dealt with."""
        return (registers.rcx & 0xffffffff == MSR_MCG_STATUS and
                self.remote.read(registers.rip, len(WRMSR)) == WRMSR)
