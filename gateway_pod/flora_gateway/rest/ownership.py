"""Whether what an op names is the guild's that asks: at once where that is known, else once Discord said.

Every id is looked for in ``scope`` first; one that is another guild's settles the matter without a
question. Only then are those asked for that nobody knows, one after the other, because the first that is
not the guild's ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from flora_gateway.rest.calls import Verdict
from flora_gateway.rest.lookup import OwnerLookup
from flora_gateway.rest.references import NOTHING, References
from flora_gateway.rest.routes import ScopeRule
from flora_gateway.rest.scope import Scope


class Outside(NamedTuple):
    """The op reaches for something that is not the guild's."""

    what: str


OWN: Final = None
Finding = Outside | Verdict | None
"""``OWN``; or why not, or why that cannot be told."""
OnFinding = Callable[[Finding], None]


class _Unknown(NamedTuple):
    what: str
    lookup: OwnerLookup
    key: str


class Ownership:
    """Asks ``channels`` and ``webhooks`` about what ``scope`` does not know."""

    def __init__(self, scope: Scope, *, channels: OwnerLookup, webhooks: OwnerLookup) -> None:
        self._scope = scope
        self._channels = channels
        self._webhooks = webhooks

    def check(
        self,
        guild: str,
        rule: ScopeRule,
        path: Mapping[str, str],
        named: References,
        on_finding: OnFinding,
    ) -> None:
        """Call ``on_finding``, now or later. Guilds and interactions in the path are not looked at."""
        # Most calls, by far.
        if (
            named is NOTHING
            and rule is ScopeRule.CHANNEL
            and self._scope.guild_of_channel(path["channel"]) == guild
        ):
            on_finding(OWN)
            return
        unknown: list[_Unknown] = []
        for what, owner, lookup, key in self._things(rule, path, named):
            if owner is None:
                unknown.append(_Unknown(what, lookup, key))
            elif owner != guild:
                on_finding(Outside(what))
                return
        if named.guilds and named.guilds != {guild}:
            on_finding(Outside("guild"))
        elif unknown:
            self._ask(guild, unknown, on_finding)
        else:
            on_finding(OWN)

    def _things(
        self, rule: ScopeRule, path: Mapping[str, str], named: References
    ) -> Iterator[tuple[str, str | None, OwnerLookup, str]]:
        """What must be the guild's, whose it is as far as is known, and how to find that out."""
        scope = self._scope
        if rule is ScopeRule.CHANNEL:
            channel = path["channel"]
            yield "channel", scope.guild_of_channel(channel), self._channels, channel
        elif rule is ScopeRule.WEBHOOK:
            webhook = path["webhook"]
            # By its own token where there is one: that takes no permission of the bot's.
            key = f"{webhook}/{path['token']}" if "token" in path else webhook
            yield "webhook", scope.guild_of_webhook(webhook), self._webhooks, key
        if named is not NOTHING:
            for channel in sorted(named.channels):
                yield "channel", scope.guild_of_channel(channel), self._channels, channel

    def _ask(self, guild: str, unknown: list[_Unknown], on_finding: OnFinding) -> None:
        what, lookup, key = unknown.pop()

        def found(owner: str | Verdict | None) -> None:
            if owner is None or (isinstance(owner, str) and owner != guild):
                on_finding(Outside(what))
            elif not isinstance(owner, str):
                on_finding(owner)
            elif unknown:
                self._ask(guild, unknown, on_finding)
            else:
                on_finding(OWN)

        lookup.owner(guild, key, found)
