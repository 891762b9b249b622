"""An assembler for the classic BPF programs that seccomp takes. Pure.

A rule names a system call by number and what becomes of it. Its conditions look at arguments; all must hold,
else the call is refused. A program looks at the architecture, then at each rule in order, and ends with the
refusal of everything else (``<linux/filter.h>``, ``<linux/seccomp.h>``, seccomp(2)).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

ALLOW: Final = 0x7FFF_0000
KILL_PROCESS: Final = 0x8000_0000
_ERRNO: Final = 0x0005_0000

LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
RETURN: Final = 0x06  # BPF_RET | BPF_K

# struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }
AT_NUMBER: Final = 0
AT_ARCH: Final = 4
AT_ARGUMENTS: Final = 16

_INSTRUCTION: Final = struct.Struct("=HBBI")
MOST_INSTRUCTIONS: Final = 4096


class Instruction(NamedTuple):
    code: int
    if_true: int
    if_false: int
    k: int


def errno_answer(number: int) -> int:
    """The call is not made; its caller sees this errno."""
    return _ERRNO | number


@dataclass(slots=True, frozen=True)
class Condition:
    """``argument & mask`` is one of ``values``; masks and values have 32 bits, and the upper half is 0."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF


@dataclass(slots=True, frozen=True)
class Rule:
    """What becomes of one system call."""

    number: int
    answer: int = ALLOW
    conditions: tuple[Condition, ...] = ()


def assemble(
    rules: Sequence[Rule], *, arch: int, otherwise: int, foreign_from: int | None = None
) -> list[Instruction]:
    """The program. Calls of another architecture end the process: nothing of ours makes them.

    Raises ValueError when it gets longer than the kernel takes.
    """
    program = [
        Instruction(LOAD, 0, 0, AT_ARCH),
        Instruction(JUMP_EQUAL, 1, 0, arch),
        Instruction(RETURN, 0, 0, KILL_PROCESS),
        Instruction(LOAD, 0, 0, AT_NUMBER),
    ]
    if foreign_from is not None:
        program += [
            Instruction(JUMP_AT_LEAST, 0, 1, foreign_from),
            Instruction(RETURN, 0, 0, otherwise),
        ]
    for rule in rules:
        program += _rule(rule, otherwise)
    program.append(Instruction(RETURN, 0, 0, otherwise))
    if len(program) > MOST_INSTRUCTIONS:
        raise ValueError(f"{len(program)} instructions, the kernel takes {MOST_INSTRUCTIONS}")
    return program


def _rule(rule: Rule, otherwise: int) -> list[Instruction]:
    body = [step for condition in rule.conditions for step in _condition(condition, otherwise)]
    body.append(Instruction(RETURN, 0, 0, rule.answer))
    return [Instruction(JUMP_EQUAL, 0, len(body), rule.number), *body]


def _condition(condition: Condition, otherwise: int) -> list[Instruction]:
    low = AT_ARGUMENTS + 8 * condition.argument  # both machines are little-endian
    count = len(condition.values)
    return [
        Instruction(LOAD, 0, 0, low + 4),
        Instruction(JUMP_EQUAL, 0, 2 + count, 0),
        Instruction(LOAD, 0, 0, low),
        Instruction(AND, 0, 0, condition.mask),
        *(Instruction(JUMP_EQUAL, count - at, 0, value) for at, value in enumerate(condition.values)),
        Instruction(RETURN, 0, 0, otherwise),
    ]


def encode(program: Sequence[Instruction]) -> bytes:
    """As an array of ``struct sock_filter``."""
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)
