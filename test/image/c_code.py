# SPDX-License-Identifier: MIT
"""What the compiler made: the stack each function uses, where it stores, whom it calls."""

from dataclasses import dataclass, field

from kernel_image import Immediate, Memory, Register

WORD = 8
SPILL_MAX = 1 << 20  # no frame is so large: the analysis has gone astray
TABLE_MAX = 300      # entries of a table of code addresses


@dataclass
class Function:
    name: str
    frame: int = 0                             # bytes below the return address, calls excluded
    calls: dict = field(default_factory=dict)  # function called -> bytes in use at the call
    unresolved: list = field(default_factory=list)
    below_stack: list = field(default_factory=list)
    strange: list = field(default_factory=list)


class StackAnalysis:
    """Follows RSP through a function: all of the kernel's C has frames of constant size."""

    def __init__(self, image, tables):
        self.image = image
        self.tables = tables  # function -> the tables or functions that its indirect calls reach

    def analyse(self, symbol):
        function = Function(symbol.name)
        start, end = symbol.address, self.image.end_of(symbol)
        seen = {}
        waiting = [(start, 0, None)]  # address, bytes pushed, bytes pushed when RBP was set
        while waiting:
            at, depth, frame_pointer = waiting.pop()
            while start <= at < end and at in self.image.instructions:
                if at in seen:
                    if seen[at] != (depth, frame_pointer):
                        function.strange.append((at, "is reached with two depths of the stack"))
                    break
                seen[at] = (depth, frame_pointer)
                instruction = self.image.instructions[at]
                depth, frame_pointer = self._effect(function, instruction, depth, frame_pointer)
                function.frame = max(function.frame, depth)
                follow = self._follow(function, instruction, depth, start, end)
                waiting += [(target, depth, frame_pointer) for target in follow]
                if self._ends(instruction):
                    break
                at = instruction.next
        return function

    @staticmethod
    def _ends(instruction):
        return instruction.mnemonic in ("jmp", "jmpq", "retq", "iretq", "ud2", "int3") or \
            instruction.mnemonic.startswith("sysret")

    def _effect(self, function, instruction, depth, frame_pointer):
        mnemonic, operands = instruction.mnemonic, instruction.operands
        self._look_at_memory(function, instruction, depth, frame_pointer)
        if mnemonic in ("pushq", "pushfq"):
            return depth + WORD, frame_pointer
        if mnemonic in ("popq", "popfq"):
            return depth - WORD, None if operands == (Register("rbp"),) else frame_pointer
        if mnemonic == "lretq":
            return depth - 2 * WORD, frame_pointer
        if not operands or operands[-1] != Register("rsp"):
            if operands and operands[-1] == Register("rbp") and operands[0] == Register("rsp"):
                return depth, depth
            return depth, frame_pointer
        if mnemonic in ("subq", "addq") and isinstance(operands[0], Immediate):
            return depth + operands[0].value * (1 if mnemonic == "subq" else -1), frame_pointer
        if mnemonic == "andq" and isinstance(operands[0], Immediate):
            return depth + -operands[0].value - WORD, frame_pointer  # at most
        if mnemonic == "leaq" and operands[0].base == "rbp" and not operands[0].index:
            return frame_pointer - operands[0].displacement, frame_pointer
        if mnemonic == "movq" and operands[0] == Register("rbp"):
            return frame_pointer, frame_pointer
        if mnemonic not in ("cmpq", "testq"):
            function.strange.append((instruction.address, "moves RSP in a way not understood"))
        return depth, frame_pointer

    @staticmethod
    def _look_at_memory(function, instruction, depth, frame_pointer):
        for operand in instruction.operands:
            if not isinstance(operand, Memory) or operand.segment:
                continue
            if operand.base == "rsp" and operand.displacement < 0:
                function.below_stack.append(instruction)
            if operand.base == "rbp" and frame_pointer is not None and not operand.index and \
               operand.displacement < frame_pointer - depth:
                function.below_stack.append(instruction)

    def _follow(self, function, instruction, depth, start, end):
        """Where in the function control goes beside the next instruction; notes the calls."""
        if not instruction.mnemonic.startswith(("call", "j")):
            return []
        is_call = instruction.mnemonic.startswith("call")
        if not instruction.indirect:
            targets = [instruction.operands[0].address]
        else:
            targets = self._indirect_targets(function, instruction, start, end)
        inside = [] if is_call else [target for target in targets if start <= target < end]
        for target in targets:
            if target in inside:
                continue
            callee = self.image.name_at(target)
            used = depth + WORD if is_call else depth  # a jump's callee returns to our caller
            function.calls[callee] = max(used, function.calls.get(callee, 0))
        return inside

    def _indirect_targets(self, function, instruction, start, end):
        """A switch's table stands in constant data and points into its own function; anything else
        must be declared."""
        operand = instruction.operands[0]
        if isinstance(operand, Memory) and operand.index and operand.scale == WORD:
            table = self.image.pointers(operand.displacement % (1 << 64), TABLE_MAX)
            inside = []
            for target in table:
                if not start <= target < end:
                    break
                inside.append(target)
            if inside:
                return inside
        declared = self.tables.get(function.name)
        if declared is None:
            function.unresolved.append(instruction)
            return []
        targets = []
        for name in declared:
            symbol = self.image.symbols.get(name)
            if symbol is None:
                function.strange.append((instruction.address, f"may reach {name}, which is not in "
                                                              "the image"))
            elif symbol.is_function:
                targets.append(symbol.address)
            elif not self.image.is_constant(symbol.address):
                function.strange.append((instruction.address, f"goes by {name}, which can be "
                                                              "written"))
            else:
                targets += self._code_in(symbol)
        return targets

    def _code_in(self, symbol):
        words = range(symbol.address, symbol.address + symbol.size, WORD)
        values = [int.from_bytes(self.image.read(at, WORD), "little") for at in words]
        return [value for value in values if self.image.is_text(value)]


class CallGraph:
    """The deepest stack from each function on.

    A call in `ends` is the last that happens.  `circles` gets the chains of calls that come back to
    where they began.
    """

    def __init__(self, functions, ends):
        self.functions = functions
        self.ends = ends
        self.depths = {}
        self.circles = []

    def depth(self, name, above=()):
        """(bytes, the chain of calls that needs them), return address included."""
        if name in self.depths:
            return self.depths[name]
        if name in above:
            self.circles.append(above[above.index(name):] + (name,))
            return 0, ()
        function = self.functions.get(name)
        if function is None:
            return 0, (f"{name}?",)
        deepest, chain = function.frame, (name,)
        for callee, used in function.calls.items():
            if callee in self.ends:
                continue
            below, further = self.depth(callee, above + (name,))
            if used + below > deepest:
                deepest, chain = used + below, (name, *further)
        self.depths[name] = deepest, chain
        return deepest, chain
