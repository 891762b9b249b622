"""The commands of ``flora``: where each one is, and its line in ``flora --help``.

A row a command; its module is imported when the command is run, not before, so that ``flora --help`` and
every other command start fast. To add one: a function (or a ``typer.Typer`` for a command with commands of
its own) in a module of ``flora_cli``, and a row here, in the order of the help. Its help line is the first
line of its docstring (or the ``help`` of its Typer): a test compares them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PLUGIN: Final = "plugin"
"""``where`` of commands that other packages bring, by an entry point of ``PLUGIN_GROUP`` with their name."""

PLUGIN_GROUP: Final = "flora.commands"

PROJECT: Final = "A project on this machine"
ACCOUNT: Final = "You, and programs of yours"
GUILDS: Final = "Guilds and their scripts"
INSTALLATION: Final = "This installation"


class Row(NamedTuple):
    """One command."""

    name: str
    where: str
    """``module:attribute``, or PLUGIN."""
    help: str
    panel: str
    """Its group in the help."""
    extra: str = "cli"
    """The extra of the package that brings what it imports: ``pip install 'flora[cli]'``."""


COMMANDS: Final = (
    Row("init", "flora_cli.project:init", "Make a new project, with types for your editor.", PROJECT),
    Row(
        "dev",
        PLUGIN,
        "Run a script on this machine: simulated Discord, gateway, runtime pod.",
        PROJECT,
        "dev",
    ),
    Row(
        "send",
        PLUGIN,
        "Say something to the bot of a running `flora dev`, and show what comes back.",
        PROJECT,
        "dev",
    ),
    Row(
        "test",
        PLUGIN,
        "Run a project's tests (*.test.ts) in the engine of the pods. Exits with 1 when one fails.",
        PROJECT,
        "dev",
    ),
    Row(
        "check",
        "flora_cli.project:check",
        "Type check a project. Exits with 1 when there are errors.",
        PROJECT,
    ),
    Row(
        "bundle",
        "flora_cli.project:bundle",
        "Bundle a project into the one script that an isolate runs.",
        PROJECT,
    ),
    Row("types", "flora_cli.project:types", "Write this flora's types into a project, for editors.", PROJECT),
    Row(
        "render",
        "flora_cli.render:render",
        "Write GuildDeployment documents for a project, to be applied by kubectl or from Git.",
        PROJECT,
    ),
    Row("login", "flora_cli.login:login", "Log in with Discord, or with a token.", ACCOUNT),
    Row("logout", "flora_cli.login:logout", "Revoke this machine's token and forget it.", ACCOUNT),
    Row(
        "whoami",
        "flora_cli.login:whoami",
        "Show as whom, where and with which rights you are known.",
        ACCOUNT,
    ),
    Row("token", "flora_cli.token:app", "Make and revoke tokens for programs.", ACCOUNT),
    Row("deploy", "flora_cli.deploy:deploy", "Deploy a project to a guild, or to several.", GUILDS),
    Row(
        "diff",
        "flora_cli.revisions:diff",
        "Show what a deploy of this folder would change, or what changed between revisions.",
        GUILDS,
    ),
    Row(
        "status",
        "flora_cli.revisions:status",
        "Show whether a guild's script runs, where, and its last error.",
        GUILDS,
    ),
    Row("list", "flora_cli.revisions:list_deployments", "List the guilds that have a script.", GUILDS),
    Row(
        "history",
        "flora_cli.revisions:history",
        "List the revisions of a guild's script, newest first.",
        GUILDS,
    ),
    Row(
        "rollback",
        "flora_cli.revisions:rollback",
        "Go back to an earlier revision. What scripts keep in KV, and secrets, are not rolled back.",
        GUILDS,
    ),
    Row(
        "undeploy",
        "flora_cli.revisions:undeploy",
        "Take a guild's script away. Its history and what it keeps stay.",
        GUILDS,
    ),
    Row("logs", "flora_cli.logs:logs", "Show the newest lines of a guild's log.", GUILDS),
    Row("kv", "flora_cli.kv:app", "Look into what a guild's script keeps, and change it.", GUILDS),
    Row("secret", "flora_cli.secret:app", "Set a guild's secrets; their values are never shown.", GUILDS),
    Row("cron", "flora_cli.cron:app", "See and run a guild's jobs by the clock.", GUILDS),
    Row(
        "top",
        "flora_cli.top:top",
        "Show what a guild's script uses: events, CPU, calls, storage. Live on a terminal.",
        GUILDS,
    ),
    Row(
        "health",
        "flora_cli.installation:health",
        "Ask whether the API answers. Exits with 5 when it does not.",
        INSTALLATION,
    ),
    Row(
        "open",
        "flora_cli.installation:open_page",
        "Open this installation's page in the browser.",
        INSTALLATION,
    ),
    Row(
        "cluster",
        "flora_cli.cluster.command:app",
        "Look after an installation of flora on Kubernetes.",
        INSTALLATION,
    ),
)
