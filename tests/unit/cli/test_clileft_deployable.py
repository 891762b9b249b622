"""What ``flora deploy`` says of the files that it takes."""

from __future__ import annotations

from flora_cli.deployable import what_goes
from flora_core.toolchain import Project


def project(*left_out: str, **more: str) -> Project:
    return Project({"main.ts": "12345", **more}, "main.ts", left_out=left_out)


def test_the_files_that_go_are_counted() -> None:
    assert what_goes(project()) == "1 file, 5 B"
    assert what_goes(project(**{"a.ts": "é" * 1024})) == "2 files, 2.0 KiB"


def test_what_stays_is_named_and_then_counted() -> None:
    assert what_goes(project("a.test.ts")) == "1 file, 5 B; left out: a.test.ts"
    many = [f"{name}.test.ts" for name in "abcde"]
    assert what_goes(project(*many)) == "1 file, 5 B; left out: a.test.ts, b.test.ts, c.test.ts and 2 more"
