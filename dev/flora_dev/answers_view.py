"""What ``flora dev`` shows for a job that was run, for storage and for logs that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.text import Text

from flora_cli import show
from flora_dev.asks import JobRun, KvPage
from flora_dev.logbook import KeptLine


def job(run: JobRun) -> list[RenderableType]:
    """How a run ended; what it did is shown beside."""
    ran = run.ran
    if run.worked:
        return [Text(f"⏱ {ran.name} ran in {ran.milliseconds:.0f} ms", style="dim")]
    return [Text(f"✗ {ran.name} ended badly: {ran.outcome}", style="red")]


def kv(page: KvPage) -> list[RenderableType]:
    """Stores, or the keys of one."""
    if not page.rows:
        empty = f"nothing of the kind in store {page.store}" if page.store else "nothing is stored"
        return [Text(empty, style="dim")]
    table = show.keys_table(page.rows) if page.store else show.stores_table(page.rows)
    return [table] if page.complete else [table, Text("… and more; give a prefix", style="dim")]


def logs(lines: Sequence[KeptLine]) -> list[RenderableType]:
    """Log lines with their stacks."""
    if not lines:
        return [Text("nothing was logged yet", style="dim")]
    return [text for line in lines for text in (show.log_line(line), *show.stack_lines(line.stack))]


def job_fields(run: JobRun) -> dict[str, Any]:
    """For ``--json``; answers are added by the view."""
    ran = run.ran
    return {"name": ran.name, "outcome": ran.outcome, "milliseconds": ran.milliseconds}


def kv_fields(page: KvPage) -> dict[str, Any]:
    """For ``--json``."""
    if not page.store:
        return {"stores": page.rows}
    return {"store": page.store, "keys": page.rows, "complete": page.complete}


def log_fields(lines: Sequence[KeptLine]) -> dict[str, Any]:
    """For ``--json``."""
    return {"lines": [{k: v for k, v in msgspec.structs.asdict(line).items() if v} for line in lines]}
