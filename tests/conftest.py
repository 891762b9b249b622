"""What all tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest_plugins = ["tests.socket_makers"]

# Examples are searched for anew in each run; a slow machine is no reason to fail one.
settings.register_profile("flora", deadline=None)
settings.load_profile("flora")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail when a test was skipped (CI)")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed one: it proves nothing."""
    if not session.config.getoption("--no-skips"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
