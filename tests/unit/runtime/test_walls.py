"""The filter, run by a small interpreter of its own: what it lets through, for every number and argument."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.worker.walls import bpf, landlock, seccomp, syscalls
from flora_runtime.worker.walls.bpf import ALLOW, KILL_PROCESS, Condition, Instruction, Rule, assemble, encode
from flora_runtime.worker.walls.syscalls import AARCH64, X86_64, Machine

PID = 4321
MACHINES = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
numbers = st.integers(0, 2**32 - 1)
words = st.integers(0, 2**64 - 1)
arguments = st.lists(words, min_size=6, max_size=6)


def run(program: list[Instruction], number: int, arch: int, args: list[int] | None = None) -> int:
    """What the kernel would answer; every jump goes forward and ends inside, as its verifier demands."""
    data = number.to_bytes(4, "little") + arch.to_bytes(4, "little") + bytes(8)
    data += b"".join(word.to_bytes(8, "little") for word in (args or [0] * 6))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, k = program[at]
        at += 1
        if code == bpf.LOAD:
            accumulator = int.from_bytes(data[k : k + 4], "little")
        elif code == bpf.AND:
            accumulator &= k
        elif code == bpf.JUMP_EQUAL:
            at += if_true if accumulator == k else if_false
        elif code == bpf.JUMP_AT_LEAST:
            at += if_true if accumulator >= k else if_false
        elif code == bpf.RETURN:
            return k
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


@MACHINES
@given(number=numbers, args=arguments)
def test_what_is_not_named_is_refused(machine: Machine, number: int, args: list[int]) -> None:
    program = seccomp.program(machine, pid=PID)
    answer = run(program, number, machine.audit_arch, args)
    if number in machine.plain.values():
        assert answer == ALLOW
    elif number not in machine.conditional.values():
        assert answer == seccomp.REFUSED


@MACHINES
def test_what_a_worker_needs_is_allowed(machine: Machine) -> None:
    program = seccomp.program(machine, pid=PID)
    for name, number in machine.plain.items():
        assert run(program, number, machine.audit_arch) == ALLOW, name


@MACHINES
@given(arch=numbers, number=numbers)
def test_calls_of_another_architecture_end_the_process(machine: Machine, arch: int, number: int) -> None:
    if arch != machine.audit_arch:
        assert run(seccomp.program(machine, pid=PID), number, arch) == KILL_PROCESS


@given(number=st.integers(0, 2**30 - 1))
def test_x32_has_no_way_in(number: int) -> None:
    program = seccomp.program(X86_64, pid=PID)
    assert run(program, 0x4000_0000 | number, X86_64.audit_arch) == seccomp.REFUSED


THREAD = 0x3D0F00
"""What glibc and musl give clone for a thread: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, …"""


@MACHINES
@given(extra=words)
def test_clone_makes_threads_and_nothing_else(machine: Machine, extra: int) -> None:
    program = seccomp.program(machine, pid=PID)

    def answer(flags: int) -> int:
        return run(program, machine.conditional["clone"], machine.audit_arch, [flags, 0, 0, 0, 0, 0])

    assert answer(THREAD) == ALLOW
    assert answer(17) == seccomp.REFUSED  # fork
    assert answer(0x4111) == seccomp.REFUSED  # vfork
    needed, namespaces = 0x10900, 0x7E020000
    allowed = extra < 2**32 and extra & needed == needed and not extra & namespaces
    assert (answer(extra) == ALLOW) == allowed


@MACHINES
@given(args=arguments)
def test_conditions_look_at_the_whole_argument(machine: Machine, args: list[int]) -> None:
    program = seccomp.program(machine, pid=PID)

    def answer(name: str) -> int:
        return run(program, machine.conditional[name], machine.audit_arch, args)

    assert (answer("tgkill") == ALLOW) == (args[0] == PID)
    assert (answer("ioctl") == ALLOW) == (args[1] == 0x5421)
    assert (answer("sched_setscheduler") == ALLOW) == (args[1] in (3, 5))
    assert (answer("prctl") == ALLOW) == (args[0] in (15, 0x53564D41))
    assert answer("clone3") == bpf.errno_answer(errno.ENOSYS)


@MACHINES
def test_signals_names_and_non_blocking_pipes_are_allowed(machine: Machine) -> None:
    program = seccomp.program(machine, pid=PID)
    for name, args in (
        ("tgkill", [PID, 7, 6, 0, 0, 0]),
        ("ioctl", [5, 0x5421, 1, 0, 0, 0]),
        ("prctl", [15, 1, 0, 0, 0, 0]),
        ("sched_setscheduler", [7, 5, 1, 0, 0, 0]),
    ):
        assert run(program, machine.conditional[name], machine.audit_arch, args) == ALLOW
        beyond = [*args]
        beyond[1 if name in ("ioctl", "sched_setscheduler") else 0] |= 1 << 40
        assert run(program, machine.conditional[name], machine.audit_arch, beyond) == seccomp.REFUSED


@MACHINES
def test_no_number_is_listed_twice(machine: Machine) -> None:
    listed = [*machine.plain.values(), *machine.conditional.values()]
    assert len(listed) == len(set(listed))


DANGEROUS = {
    "x86_64": [
        2,
        41,
        42,
        46,
        47,
        49,
        56 + 1,
        58,
        59,
        62,
        101,
        257,
        262,
        272,
        298,
        310,
        319,
        321,
        322,
        323,
        425,
    ],
    "aarch64": [56, 117, 129, 198, 200, 203, 211, 212, 221, 241, 270, 279, 280, 281, 282, 425],
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_files_sockets_programs_and_processes_are_in_no_list(name: str) -> None:
    machine = {"x86_64": X86_64, "aarch64": AARCH64}[name]
    assert not set(DANGEROUS[name]) & {*machine.plain.values(), *machine.conditional.values()}


@given(
    rules=st.lists(
        st.builds(
            Rule,
            st.integers(0, 500),
            st.sampled_from([ALLOW, bpf.errno_answer(38)]),
            st.lists(
                st.builds(
                    Condition,
                    st.integers(0, 5),
                    st.lists(st.integers(0, 7), min_size=1, max_size=3).map(tuple),
                    st.integers(0, 7),
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_size=20,
    ),
    number=st.integers(0, 500),
    args=st.lists(st.integers(0, 15), min_size=6, max_size=6),
)
def test_a_program_does_what_its_rules_say(rules: list[Rule], number: int, args: list[int]) -> None:
    expected = 77
    for rule in rules:
        if rule.number == number:
            holds = all(args[c.argument] & c.mask in c.values for c in rule.conditions)
            expected = rule.answer if holds else 77
            break
    assert run(assemble(rules, arch=1, otherwise=77), number, 1, args) == expected


def test_a_program_that_the_kernel_would_not_take_is_not_made() -> None:
    with pytest.raises(ValueError, match="4096"):
        assemble([Rule(n) for n in range(3000)], arch=1, otherwise=0)


def test_instructions_are_encoded_as_the_kernel_reads_them() -> None:
    assert encode([Instruction(0x15, 1, 2, 0xC000003E)]) == bytes.fromhex("1500 01 02 3e0000c0")


@pytest.mark.parametrize(
    ("abi", "size", "files"),
    [(1, 8, 13), (2, 8, 14), (3, 8, 15), (4, 16, 15), (5, 16, 16), (6, 24, 16), (9, 24, 16)],
)
def test_landlock_is_asked_for_what_its_version_knows(abi: int, size: int, files: int) -> None:
    handled = landlock.all_rights(abi)
    encoded = handled.encode(abi)
    assert len(encoded) == size
    assert int.from_bytes(encoded[:8], "little").bit_count() == files
    assert (handled.network == 3) == (abi >= 4)
    assert (handled.scopes == 3) == (abi >= 6)


def test_this_machine_is_known() -> None:
    assert syscalls.this_machine() in (X86_64, AARCH64)
