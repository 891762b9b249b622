"""What a guild's log says of its deploys: who, which revision, what became of it. Pure."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

from flora_api.deployments.revisions import Revision
from flora_api.deployments.verdict import Live, Lost
from flora_api.principal import Principal
from flora_core.ids import GuildId
from flora_core.wire.control import LogLine, Outcome

CALLED_OFF: Final = frozenset({"UNDEPLOYED", "SUPERSEDED", "DEPLOY_TIMEOUT"})
"""Codes of deploys that nothing is known to be wrong with."""


def ended(revision: Revision, verdict: Live | Lost) -> LogLine:
    """A deploy, a rollback, or a change in the cluster is live, or has failed."""
    if isinstance(verdict, Lost):
        return failed(revision.guild, revision.id, revision.actor, verdict)
    pod = f" on {verdict.pod}" if verdict.pod else ""
    age = time.time() - revision.created.timestamp()
    took = f" after {max(age, 0.0):.1f} s" if not revision.observed else ""
    said = f": {revision.message}" if revision.message else ""
    lacks = f" ({verdict.message})" if verdict.message else ""
    text = f"revision {revision.id} by {revision.actor.shown} is live{pod}{took}{said}{lacks}"
    return _line(revision.guild, "warn" if lacks else "info", text, Outcome.OK)


def failed(guild: GuildId, revision: UUID, actor: Principal, why: Lost) -> LogLine:
    """It is not live, and will not be by itself."""
    outcome = Outcome.CANCELED if why.code in CALLED_OFF else Outcome.EXCEPTION
    text = f"revision {revision} by {actor.shown} is not live ({why.code}): {why.message}"
    return _line(guild, "error", text, outcome, stack=why.stack)


def undeployed(guild: GuildId, actor: Principal) -> LogLine:
    """Nothing runs any more."""
    return _line(guild, "info", f"undeployed by {actor.shown}", Outcome.OK, event="undeploy")


def _line(
    guild: GuildId, level: str, text: str, outcome: Outcome, *, stack: str = "", event: str = "deploy"
) -> LogLine:
    return LogLine(guild, 0, level, text, source="runtime", outcome=outcome, stack=stack, event=event)
