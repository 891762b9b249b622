"""What a worker process gives up before it runs the first line of a guild's code.

V8 is a large piece of C++ that runs hostile input; assume that one day a script gets out of it. What it then
finds is a process that can compute, map memory, make threads and talk through one pipe: no file, no network,
no other program, no other process. ``syscalls`` has the numbers, ``bpf`` the assembler, ``seccomp`` and
``landlock`` the two kernel interfaces, ``standing`` the order in which it all happens.
"""

from flora_runtime.worker.walls.standing import Standing, put_up

__all__ = ["Standing", "put_up"]
