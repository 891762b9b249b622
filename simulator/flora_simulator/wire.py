"""What the control interface takes and gives, as typed JSON; ``client`` and ``control`` share it.

Ids are decimal strings as in Discord. Where a user, channel or guild is named, its id or its name will do
as long as the name is unique; ``user`` left out is the world's first person, ``guild`` its first guild.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from flora_simulator.world_spec import ChannelKind

ActionKind = Literal[
    "message",
    "edit",
    "delete",
    "reaction",
    "unreaction",
    "typing",
    "defer",
    "modal",
    "choices",
    "commands",
    "unanswered",
    "rest",
]


class Action(Struct, frozen=True, omit_defaults=True):
    """One thing the bot did, numbered in order."""

    position: int
    at: float
    """Seconds since 1970."""
    kind: ActionKind
    """``rest`` is every other successful call that changed something."""
    guild: str | None = None
    channel: str | None = None
    message: dict[str, Any] | None = None
    """The message as Discord returns it, for message and edit; only its id for the others."""
    interaction: str | None = None
    """The interaction that this answers."""
    ephemeral: bool = False
    seen_by: str | None = None
    """The only user who sees an ephemeral message."""
    data: dict[str, Any] = field(default_factory=dict)
    """What else there is: the modal, the choices, the commands' names, the emoji, the route."""


class Actions(Struct, frozen=True):
    """Answer of ``GET /control/wait``: what happened after the position asked for, maybe nothing."""

    position: int
    """Ask after this next time."""
    actions: list[Action]
    missed: int = 0
    """Entries that the journal had already dropped."""


class Attachment(Struct, frozen=True):
    """A file; its bytes travel in base64."""

    filename: str
    data: bytes


class CreateUser(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: str | None = None
    global_name: str | None = None
    bot: bool = False


class AddMember(Struct, frozen=True, forbid_unknown_fields=True):
    """Let ``name`` join; they are created when there is nobody of that name (or id)."""

    name: str
    id: str | None = None
    roles: list[str] = []
    nick: str | None = None


class CreateChannel(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: str | None = None
    type: ChannelKind = "text"
    topic: str | None = None
    parent: str | None = None
    """The category, or the channel that a thread starts in."""


class Created(Struct, frozen=True):
    id: str


class Outage(Struct, frozen=True, forbid_unknown_fields=True):
    unavailable: bool


class PostMessage(Struct, frozen=True, forbid_unknown_fields=True):
    channel: str
    content: str = ""
    user: str | None = None
    attachments: list[Attachment] = []
    reply_to: str | None = None


class PostInGuild(Struct, frozen=True, forbid_unknown_fields=True):
    content: str
    channel: str | None = None
    """Id or name of a channel of the guild; None for its first text channel."""
    user: str | None = None
    """None for the guild's owner."""


class EditMessage(Struct, frozen=True, forbid_unknown_fields=True):
    content: str
    user: str | None = None


class Reaction(Struct, frozen=True, forbid_unknown_fields=True):
    emoji: str
    """A character, or ``name:id`` for a custom one."""
    user: str | None = None


class Slash(Struct, frozen=True, forbid_unknown_fields=True):
    """A slash command as text; with ``focused``, only its completion for that option is asked for."""

    channel: str
    text: str
    user: str | None = None
    attachments: list[Attachment] = []
    focused: str | None = None


class ContextMenu(Struct, frozen=True, forbid_unknown_fields=True):
    """A user or message command; exactly one target."""

    channel: str
    name: str
    user: str | None = None
    target_user: str | None = None
    target_message: str | None = None


class Click(Struct, frozen=True, forbid_unknown_fields=True):
    """A button by ``custom_id``, on ``message`` or on the latest one in the channel that has it."""

    channel: str
    custom_id: str
    user: str | None = None
    message: str | None = None


class Select(Struct, frozen=True, forbid_unknown_fields=True):
    """Values of a select menu; those of entity selects are ids or names."""

    channel: str
    custom_id: str
    values: list[str]
    user: str | None = None
    message: str | None = None


class SubmitModal(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields, by ``custom_id``, of the modal that the bot last opened to the user."""

    fields: dict[str, str | bool | list[str]]
    user: str | None = None
    custom_id: str | None = None


class Acted(Struct, frozen=True):
    """What a person's act led to so far; wait for the bot's answer after ``position``."""

    position: int
    id: str
    """Of the message or the interaction."""
    listeners: int
    """Gateway connections that could see it; 0 means that no bot is there to answer."""


class Answer(Struct, frozen=True):
    """A message that the bot wrote."""

    position: int
    """Grows with everything that the bot does, in any guild."""
    at: float
    """Seconds since 1970."""
    id: str
    channel: str
    content: str
    reply_to: str | None = None
    """The message that it replies to."""
    interaction: str | None = None
    """The interaction that it answers."""


class Answers(Struct, frozen=True):
    """Answer of ``GET /control/guilds/{guild}/answers``, oldest first."""

    position: int
    """Ask after this next time."""
    answers: list[Answer]
    missed: int = 0
    """Entries of any guild that the journal had already dropped; see ``journal_entries``."""


class TranscriptMessage(Struct, frozen=True):
    id: str
    author: str
    author_id: str
    content: str
    at: str
    embeds: list[dict[str, Any]]
    components: list[dict[str, Any]]
    attachments: list[dict[str, Any]]
    reactions: dict[str, int]
    ephemeral: bool
    seen_by: str | None
    """The only user who sees it, when ephemeral."""
    thinking: bool
    """A deferred answer that has not come yet."""
    reply_to: str | None
    edits: list[dict[str, Any]]
    """Earlier versions, oldest first: content, embeds, at."""


class InteractionState(Struct, frozen=True):
    id: str
    responded: bool
    kind: str | None
    message: str | None
    ephemeral: bool
    followups: list[str]
    modal: dict[str, Any] | None
    choices: list[dict[str, Any]] | None


class Fault(Struct, forbid_unknown_fields=True):
    """The next ``times`` calls that match fail so."""

    path: str = "*"
    """Glob on the path after /api/v10."""
    method: str = "*"
    times: int = 1
    status: int | None = None
    """429, 500, 502, 503 …; left out, the call goes through after ``delay``."""
    reset: bool = False
    """Abort the connection instead of answering."""
    after: bool = False
    """Do the call first and lose its answer, instead of failing before anything happens."""
    delay: float = 0.0
    """Seconds to wait first."""
    retry_after: float = 1.0
    scope: Literal["user", "global", "shared"] = "user"


class OAuthPerson(Struct, frozen=True, forbid_unknown_fields=True):
    """Who sits at the browser when ``/oauth2/authorize`` is opened."""

    user: str | None = None
    refuses: bool = False
    """They press "Cancel"."""


class OAuthState(Struct, frozen=True):
    """Tokens of people that the application was given."""

    issued: int
    live: int
    revoked: int


class RateLimitSwitch(Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    factor: float = 1.0


class SessionState(Struct, frozen=True):
    id: str
    shard: tuple[int, int]
    sequence: int
    connected: bool
    intents: int
    compressed: bool
    lag: int
    """Events not yet written to the connection."""


class GatewayOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """``session`` left out means all of them."""

    session: str | None = None
    resumable: bool = False
    """For ``invalidate``: what op 9 says."""
    code: int = 4000
    """For ``close``."""


class GatewaySwitch(Struct, frozen=True, forbid_unknown_fields=True):
    acks: bool | None = None
    """Whether heartbeats are answered."""
    accept: bool | None = None
    """Whether new connections are taken; otherwise 503."""


class Emit(Struct, frozen=True, forbid_unknown_fields=True):
    """A gateway event as it stands, to whoever may see it."""

    event: str
    data: dict[str, Any]


class FirehoseOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """``count`` messages, spread evenly over text channels; nothing of them is stored."""

    count: int
    rate: float = 0.0
    """Messages a second; 0 is as fast as the slowest connection takes them."""
    guilds: list[str] | None = None
    channels: list[str] | None = None
    content: str = "message {n}"
    """``{n}`` is the number from 0, ``{t}`` the time in nanoseconds since 1970."""
    user: str | None = None


class FirehoseState(Struct, frozen=True):
    running: bool
    sent: int
    count: int
    seconds: float


class Stats(Struct, frozen=True):
    identifies: int
    identifies_refused: int
    resumes: int
    resumes_failed: int
    resumes_elsewhere: int
    """Resumes that did not come to the resume_gateway_url."""
    closes: dict[str, int]
    """By the code that ended the connection; 1006 is a connection that just broke."""
    events_sent: int
    bytes_sent: int
    sessions: int
    rest: dict[str, int]
    """By "METHOD /route status"."""
    invalid_requests: int
    rate_limited: int
    positions: int
    """Last position of the journal."""
