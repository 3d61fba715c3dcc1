"""Read pickled object arrays of numbers WITHOUT unpickling: a symbolic machine for the few opcodes they consist of.

`pickle` runs whatever a file asks for, and an allow-list of classes stops the code but not the hangs, the gigabytes
or the lying shapes. This machine runs nothing: a global is a mark, a call is checked against the three calls that
``ndarray.__reduce__`` writes, and what comes out can only be a list of arrays of numbers. Every count is bounded by
the number of arrays that the .npy header declares and by the bytes that are really there.

Dialects read: Python 2 (byte strings as SHORT_BINSTRING and BINSTRING), Python 3 protocol 2 (bytes as
``_codecs.encode(text, 'latin1')``), protocols 3 and 4 (real bytes; MEMOIZE, FRAME, STACK_GLOBAL).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

STEPS_PER_ARRAY = 52
"""Opcodes spent on one array: the dialects use 20 to 30, and 20 more where each array brings an element type of its
own, as arrays do that came from other processes."""

SPARE_STEPS = 4096
"""Opcodes for all that stands around the arrays, batches included."""

MEMO_PER_ARRAY = 12
"""Values remembered for one array: the dialects remember 3 to 12."""

STACK_LIMIT = 32_768
"""Pickle appends in batches of 1000 and keeps at most a dozen values for each array under construction."""

MOST_LISTS = 8
"""An object array is one list; those within it are none."""

LONGEST_TUPLE = 8
"""The state of an element type has so many values; a tuple holds at most tuples of plain values."""

NUMBERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "f2", "f4", "f8", "b1")
"""Element types that an array of strokes may have."""

_RECONSTRUCT, _NDARRAY, _DTYPE, _ENCODE = "_reconstruct", "ndarray", "dtype", "encode"
_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DTYPE,
    ("_codecs", "encode"): _ENCODE,
}


class SymbolError(ValueError):
    """The bytes are not what numpy writes for an object array of number arrays."""


@dataclass(slots=True)
class _Global:
    name: str


@dataclass(slots=True)
class _Dtype:
    code: str
    order: str = "="


@dataclass(slots=True, eq=False)
class _Blank:
    """An ndarray from `_reconstruct` until BUILD gives it its state."""

    value: npt.NDArray[Any] | list[Any] | None = None


class _Mark:
    pass


_MARK = _Mark()


def read_arrays(data: memoryview, count: int) -> list[npt.NDArray[Any]]:
    """Read a pickled object array of shape (`count`,) whose elements are arrays of numbers.

    Args:
        data: the pickle, from its first byte to its last.
        count: how many arrays there have to be.

    Returns:
        The arrays; they share the memory of `data` where they can.

    Raises:
        SymbolError: anything else stands there; nothing was run.
    """
    machine = _Machine(data, STEPS_PER_ARRAY * count + SPARE_STEPS, MEMO_PER_ARRAY * count + SPARE_STEPS)
    try:
        outer = machine.run()
    except (struct.error, IndexError, KeyError, TypeError, UnicodeError) as error:
        raise SymbolError(f"the pickle breaks off or contradicts itself at byte {machine.position}") from error
    if not isinstance(outer, _Blank) or not isinstance(outer.value, list):
        raise SymbolError("the pickle holds no object array")
    if len(outer.value) != count:
        raise SymbolError(f"{len(outer.value)} drawings where the header says {count}")
    arrays = []
    for element in outer.value:
        if not isinstance(element, _Blank) or not isinstance(element.value, np.ndarray):
            raise SymbolError("an element is no array of numbers")
        arrays.append(element.value)
    return arrays


@dataclass(slots=True)
class _Machine:
    """The stack machine; `run` returns what stands on the stack at STOP."""

    data: memoryview
    steps: int
    memo_limit: int
    position: int = 0
    raw_bytes: int = 0
    encoded: int = 0
    lists: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self) -> object:
        data, stack, memo = self.data, self.stack, self.memo
        for _ in range(self.steps):
            opcode = data[self.position]
            self.position += 1
            if opcode == 0x71:  # BINPUT
                memo[self.number(1)] = stack[-1]
            elif opcode == 0x72:  # LONG_BINPUT
                memo[self.number(4)] = stack[-1]
            elif opcode == 0x94:  # MEMOIZE
                memo[len(memo)] = stack[-1]
            elif opcode == 0x68:  # BINGET
                stack.append(memo[self.number(1)])
            elif opcode == 0x6A:  # LONG_BINGET
                stack.append(memo[self.number(4)])
            elif opcode == 0x2E:  # STOP
                if self.position != len(data) or len(stack) != 1:
                    raise SymbolError(f"something follows the pickle at byte {self.position}")
                return stack.pop()
            else:
                action = _ACTIONS.get(opcode)
                if action is None:
                    raise SymbolError(f"opcode 0x{opcode:02x} at byte {self.position - 1} is none that arrays need")
                action(self)
            if len(stack) > STACK_LIMIT or len(memo) > self.memo_limit:
                raise SymbolError(f"more values at byte {self.position} than so many arrays need")
        raise SymbolError("more opcodes than so many arrays need")

    def number(self, size: int) -> int:
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise SymbolError("the pickle breaks off")
        return int.from_bytes(self.data[start : self.position], "little")

    def take(self, size: int) -> memoryview:
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise SymbolError(f"a string of {size} bytes at byte {start} reaches beyond the end")
        return self.data[start : self.position]

    def word(self) -> str:
        """Read up to the line end (GLOBAL's two arguments)."""
        text = bytes(self.data[self.position : self.position + 64])
        end = text.index(b"\n") if b"\n" in text else -1
        if end < 0:
            raise SymbolError(f"a global's name at byte {self.position} does not end")
        self.position += end + 1
        return text[:end].decode("ascii")

    def above_mark(self) -> list[Any]:
        """Pop all above the last mark, and the mark."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                values = self.stack[index + 1 :]
                del self.stack[index:]
                return values
        raise SymbolError(f"no mark before byte {self.position}")


def _protocol(machine: _Machine) -> None:
    number = machine.number(1)
    if number > 4:
        raise SymbolError(f"pickle protocol {number} (expected 2, 3 or 4)")


def _frame(machine: _Machine) -> None:
    machine.take(8)  # a hint of length for those who read in pieces


def _global(machine: _Machine) -> None:
    module = machine.word()
    machine.stack.append(_known(module, machine.word()))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(_known(module, name))


def _known(module: object, name: object) -> _Global:
    if not isinstance(module, str) or not isinstance(name, str) or (module, name) not in _GLOBALS:
        raise SymbolError(f"it asks for {str(module)[:40]}.{str(name)[:40]}, which no array needs; nothing was run")
    return _Global(_GLOBALS[module, name])


def _integer(size: int, signed: bool) -> Callable[[_Machine], None]:
    def action(machine: _Machine) -> None:
        machine.stack.append(int.from_bytes(machine.take(size), "little", signed=signed))

    return action


def _string(size: int, decode: bool) -> Callable[[_Machine], None]:
    def action(machine: _Machine) -> None:
        content = machine.take(machine.number(size))
        machine.stack.append(str(content, "utf-8", "surrogatepass") if decode else content)

    return action


def _constant(value: object) -> Callable[[_Machine], None]:
    def action(machine: _Machine) -> None:
        machine.stack.append(value)

    return action


def _tuple(size: int) -> Callable[[_Machine], None]:
    def action(machine: _Machine) -> None:
        values = machine.stack[-size:]
        if len(values) != size or any(value is _MARK for value in values):
            raise SymbolError(f"too few values for a tuple at byte {machine.position}")
        machine.stack[-size:] = [_flat(machine, values)]

    return action


def _long_tuple(machine: _Machine) -> None:
    machine.stack.append(_flat(machine, machine.above_mark()))


def _flat(machine: _Machine, values: list[Any]) -> tuple[Any, ...]:
    """Make a tuple, which may hold tuples, but none that hold some in turn: a chain of them costs a byte a link."""
    for value in values:
        if type(value) is tuple and any(type(part) is tuple for part in value):
            raise SymbolError(f"the tuple at byte {machine.position} is deeper than arrays need")
    if len(values) > LONGEST_TUPLE:
        raise SymbolError(f"the tuple at byte {machine.position} is longer than arrays need")
    return tuple(values)


def _empty_list(machine: _Machine) -> None:
    machine.lists += 1
    if machine.lists > MOST_LISTS:
        raise SymbolError(f"more lists at byte {machine.position} than an array of arrays needs")
    machine.stack.append([])


def _append(machine: _Machine) -> None:
    value, target = machine.stack.pop(), machine.stack[-1]
    _extend(machine, target, [value])


def _appends(machine: _Machine) -> None:
    values = machine.above_mark()
    _extend(machine, machine.stack[-1], values)


def _extend(machine: _Machine, target: object, values: list[Any]) -> None:
    if not isinstance(target, list) or any(not isinstance(value, _Blank) for value in values):
        raise SymbolError(f"the list at byte {machine.position} holds something else than arrays")
    target.extend(values)


def _reduce(machine: _Machine) -> None:
    """Replace a call by its value: only `_reconstruct`, `dtype` and `encode`, with the arguments that numpy writes."""
    arguments, function = machine.stack.pop(), machine.stack.pop()
    if isinstance(function, _Global) and isinstance(arguments, tuple):
        match function.name, arguments:
            case "_reconstruct", (_Global(name="ndarray"), (0,), kind) if _text(kind) == "b":
                machine.stack.append(_Blank())
                return
            case "dtype", (code, 0 | 1, 0 | 1) if _text(code) in (*NUMBERS, "O8"):
                machine.stack.append(_Dtype(_text(code)))
                return
            case "encode", (str() as text, coding) if _text(coding) == "latin1":
                machine.encoded += len(text)
                if machine.encoded > len(machine.data):  # one long string may be named again and again
                    raise SymbolError("the texts to encode are together larger than the file")
                machine.stack.append(memoryview(text.encode("latin1")))
                return
    raise SymbolError(f"the call at byte {machine.position} is none that arrays need; nothing was run")


def _build(machine: _Machine) -> None:
    """Give a dtype its byte order, or an array its shape and content."""
    state, target = machine.stack.pop(), machine.stack[-1]
    if isinstance(target, _Dtype):
        match state:
            case (3 | 4, order, None, None, None, -1, -1, int()) if _text(order) in ("<", ">", "|", "="):
                target.order = _text(order)
                return
        raise SymbolError(f"the element type at byte {machine.position} is no plain number")
    if not isinstance(target, _Blank) or target.value is not None:
        raise SymbolError(f"the state at byte {machine.position} belongs to no array")
    match state:
        case (1, tuple() as shape, _Dtype(code="O8"), bool(), list() as elements) if shape == (len(elements),):
            target.value = elements
        case (1, tuple() as shape, _Dtype() as dtype, bool() as fortran, memoryview() as content):
            target.value = _numbers(machine, shape, dtype, fortran, content)
        case _:
            raise SymbolError(f"the array at byte {machine.position} has a shape that its content contradicts")


def _numbers(
    machine: _Machine, shape: tuple[Any, ...], dtype: _Dtype, fortran: bool, content: memoryview
) -> npt.NDArray[Any]:
    """View `content` as an array, after its size was found to be what shape and dtype say."""
    plausible = len(shape) <= 4 and all(type(size) is int and 0 <= size <= len(content) for size in shape)
    if dtype.code not in NUMBERS or not plausible:
        raise SymbolError(f"the array at byte {machine.position} is none of numbers")
    kind = np.dtype((">" if dtype.order == ">" else "<") + dtype.code)
    expected = kind.itemsize
    for size in shape:
        expected *= size
    if expected != len(content):
        raise SymbolError(f"the array at byte {machine.position} has {len(content)} bytes (expected {expected})")
    # A few bytes of pickle can name the same long string again and again: what is read may not outgrow the file.
    machine.raw_bytes += len(content)
    if machine.raw_bytes > len(machine.data):
        raise SymbolError("the arrays together are larger than the file")
    values = np.frombuffer(content, kind) if content else np.zeros(0, kind)
    return values.reshape(shape, order="F" if fortran else "C")


def _text(value: object) -> str:
    """Return a short str or bytes as str, anything else as an empty one."""
    if isinstance(value, memoryview) and len(value) < 16:
        return str(value, "latin1")
    return value if isinstance(value, str) else ""


_ACTIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: _protocol,
    0x95: _frame,
    0x63: _global,
    0x93: _stack_global,
    0x28: _constant(_MARK),
    0x4E: _constant(None),
    0x88: _constant(True),
    0x89: _constant(False),
    0x4A: _integer(4, signed=True),
    0x4B: _integer(1, signed=False),
    0x4D: _integer(2, signed=False),
    0x55: _string(1, decode=False),  # SHORT_BINSTRING
    0x54: _string(4, decode=False),  # BINSTRING
    0x43: _string(1, decode=False),  # SHORT_BINBYTES
    0x42: _string(4, decode=False),  # BINBYTES
    0x58: _string(4, decode=True),  # BINUNICODE
    0x8C: _string(1, decode=True),  # SHORT_BINUNICODE
    0x29: _constant(()),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    0x74: _long_tuple,
    0x5D: _empty_list,
    0x61: _append,
    0x65: _appends,
    0x52: _reduce,
    0x62: _build,
}
"""What each opcode does, but for the most frequent, which `_Machine.run` knows itself."""
