"""Every method of `rest`, from a script in a real isolate through the gateway to a simulated Discord and back."""
# ruff: noqa: N802  each case is called as the method that it tries

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest

from flora_gateway.rest import ROUTES
from tests.integration.rest.conftest import Puppet, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

Case = Callable[[Puppet], Awaitable[None]]
CASES: dict[str, Case] = {}
"""What each method has to do."""

THUMB = quote("👍")


def case(test: Case) -> Case:
    CASES[test.__name__] = test
    return test


@pytest.mark.parity(21, 34, 35, 36, 37, 38, 39)
@pytest.mark.parametrize("method", CASES)
async def test_it_does_what_it_says(puppet: Puppet, method: str) -> None:
    await CASES[method](puppet)


async def test_every_method_is_tried(puppet: Puppet) -> None:
    twice = {"removeOwnReaction", "clearReactionsOfEmoji", "editWebhookWithToken", "deleteWebhookWithToken"}
    of_contexts = {"sendAutocompleteResult", "getOriginalInteractionResponse"}
    assert CASES.keys() == ROUTES.keys() - twice - of_contexts


def at(puppet: Puppet, message: str) -> str:
    return f"/channels/{puppet.channel}/messages/{message}"


# Messages


@case
async def sendMessage(p: Puppet) -> None:
    made = await p.rest(
        "sendMessage",
        channelId=p.channel,
        content="from rest",
        attachments=[{"name": "a.txt", "data": "text of a file", "description": "a file"}],
    )
    found = await p.discord("GET", at(p, made["id"]))
    assert (found["content"], found["author"]["username"]) == ("from rest", "flora")
    (file,) = found["attachments"]
    assert (file["filename"], file["size"], file["description"]) == ("a.txt", 14, "a file")


@case
async def editMessage(p: Puppet) -> None:
    message = await p.message()
    await p.rest("editMessage", channelId=p.channel, messageId=message, content="changed")
    assert (await p.discord("GET", at(p, message)))["content"] == "changed"


@case
async def deleteMessage(p: Puppet) -> None:
    message = await p.message()
    await p.rest("deleteMessage", channelId=p.channel, messageId=message, reason="over")
    assert (await p.ask_discord("GET", at(p, message)))[0] == 404


@case
async def bulkDeleteMessages(p: Puppet) -> None:
    messages = [await p.message(), await p.message()]
    await p.rest("bulkDeleteMessages", channelId=p.channel, messageIds=messages)
    assert [(await p.ask_discord("GET", at(p, message)))[0] for message in messages] == [404, 404]


@case
async def pinMessage(p: Puppet) -> None:
    message = await p.message()
    await p.rest("pinMessage", channelId=p.channel, messageId=message)
    assert (await p.discord("GET", at(p, message)))["pinned"] is True


@case
async def unpinMessage(p: Puppet) -> None:
    message = await p.message()
    await p.discord("PUT", f"/channels/{p.channel}/messages/pins/{message}")
    await p.rest("unpinMessage", channelId=p.channel, messageId=message)
    assert (await p.discord("GET", at(p, message)))["pinned"] is False


@case
async def listPins(p: Puppet) -> None:
    channel = await p.new_channel()
    message = await p.message(channel=channel)
    await p.discord("PUT", f"/channels/{channel}/messages/pins/{message}")
    pins = await p.rest("listPins", channelId=channel, limit=5)
    assert [item["message"]["id"] for item in pins["items"]] == [message]


@case
async def crosspostMessage(p: Puppet) -> None:
    channel = await p.new_channel("news", 5)
    message = await p.message(channel=channel)
    assert (await p.rest("crosspostMessage", channelId=channel, messageId=message))["flags"]


@case
async def fetchMessage(p: Puppet) -> None:
    message = await p.message("find me")
    assert (await p.rest("fetchMessage", channelId=p.channel, messageId=message))["content"] == "find me"


@case
async def fetchMessages(p: Puppet) -> None:
    channel = await p.new_channel()
    messages = [await p.message(str(n), channel) for n in range(4)]
    found = await p.rest("fetchMessages", channelId=channel, limit=2, before=messages[3])
    assert [message["content"] for message in found] == ["2", "1"]


@case
async def addReaction(p: Puppet) -> None:
    message = await p.message()
    await p.rest("addReaction", channelId=p.channel, messageId=message, emoji="👍")
    (reaction,) = (await p.discord("GET", at(p, message)))["reactions"]
    assert (reaction["emoji"]["name"], reaction["me"]) == ("👍", True)


@case
async def removeReaction(p: Puppet) -> None:
    message = await p.message()
    await p.people.react("general", message, "👍")
    await p.discord("PUT", f"{at(p, message)}/reactions/{THUMB}/@me")
    await p.rest("removeReaction", channelId=p.channel, messageId=message, emoji="👍")
    (reaction,) = (await p.discord("GET", at(p, message)))["reactions"]
    assert (reaction["count"], reaction["me"]) == (1, False)
    await p.rest("removeReaction", channelId=p.channel, messageId=message, emoji="👍", userId=p.user)
    assert not (await p.discord("GET", at(p, message))).get("reactions")


@case
async def listReactions(p: Puppet) -> None:
    message = await p.message()
    await p.people.react("general", message, "👍")
    found = await p.rest("listReactions", channelId=p.channel, messageId=message, emoji="👍", limit=5)
    assert [user["id"] for user in found] == [p.user]


@case
async def clearReactions(p: Puppet) -> None:
    message = await p.message()
    for emoji in ("👍", "👎"):
        await p.people.react("general", message, emoji)
    await p.rest("clearReactions", channelId=p.channel, messageId=message, emoji="👍")
    (left,) = (await p.discord("GET", at(p, message)))["reactions"]
    assert left["emoji"]["name"] == "👎"
    await p.rest("clearReactions", channelId=p.channel, messageId=message)
    assert not (await p.discord("GET", at(p, message))).get("reactions")


@case
async def triggerTyping(p: Puppet) -> None:
    assert await p.rest("triggerTyping", channelId=p.channel) is None


# Interactions


@case
async def sendInteractionResponse(p: Puppet) -> None:
    await p.interact()
    await p.rest(
        "sendInteractionResponse",
        interacting=True,
        content="answered",
        attachments=[{"name": "a", "data": "x"}],
    )
    newest = await p.discord("GET", f"/channels/{p.channel}/messages?limit=10")
    assert [m["attachments"][0]["filename"] for m in newest if m["content"] == "answered"] == ["a"]


@case
async def deferInteractionResponse(p: Puppet) -> None:
    await p.interact()
    await p.rest("deferInteractionResponse", interacting=True)
    await p.rest("editOriginalInteractionResponse", interacting=True, content="later")


@case
async def updateInteractionResponse(p: Puppet) -> None:
    """Only components have a message to update: for a command Discord says no."""
    await p.interact()
    with pytest.raises(Refused) as caught:
        await p.rest("updateInteractionResponse", interacting=True, content="x")
    assert caught.value.code == "DISCORD_HTTP_ERROR"


@case
async def openModal(p: Puppet) -> None:
    await p.interact()
    row = {"type": 18, "label": "L", "component": {"type": 4, "custom_id": "t", "style": 1}}
    modal = {"customId": "form", "title": "Form", "components": [row]}
    assert await p.rest("openModal", interacting=True, modal=modal) is None


@case
async def editOriginalInteractionResponse(p: Puppet) -> None:
    await p.interact()
    await p.rest("sendInteractionResponse", interacting=True, content="one")
    made = await p.rest("editOriginalInteractionResponse", interacting=True, content="two")
    assert (await p.discord("GET", at(p, made["id"])))["content"] == "two"


@case
async def deleteOriginalInteractionResponse(p: Puppet) -> None:
    await p.interact()
    await p.rest("sendInteractionResponse", interacting=True, content="one")
    made = await p.rest("editOriginalInteractionResponse", interacting=True, content="two")
    await p.rest("deleteOriginalInteractionResponse", interacting=True)
    assert (await p.ask_discord("GET", at(p, made["id"])))[0] == 404


@case
async def createFollowupMessage(p: Puppet) -> None:
    await p.interact()
    await p.rest("sendInteractionResponse", interacting=True, content="one")
    made = await p.rest("createFollowupMessage", interacting=True, content="more")
    assert (await p.discord("GET", at(p, made["id"])))["content"] == "more"


@case
async def editFollowupMessage(p: Puppet) -> None:
    await p.interact()
    await p.rest("sendInteractionResponse", interacting=True, content="one")
    made = await p.rest("createFollowupMessage", interacting=True, content="more")
    await p.rest("editFollowupMessage", interacting=True, messageId=made["id"], content="other")
    assert (await p.discord("GET", at(p, made["id"])))["content"] == "other"


@case
async def deleteFollowupMessage(p: Puppet) -> None:
    await p.interact()
    await p.rest("sendInteractionResponse", interacting=True, content="one")
    made = await p.rest("createFollowupMessage", interacting=True, content="more")
    await p.rest("deleteFollowupMessage", interacting=True, messageId=made["id"])
    assert (await p.ask_discord("GET", at(p, made["id"])))[0] == 404


# Commands


def definition(name: str) -> dict[str, str]:
    return {"name": name, "description": "A command"}


OPEN = {"name": "open", "description": "An interaction"}


async def names(p: Puppet) -> list[str]:
    return sorted(command["name"] for command in await p.rest("getGuildCommands"))


@case
async def upsertGuildCommands(p: Puppet) -> None:
    found = await p.rest("upsertGuildCommands", guildId=p.guild, commands=[OPEN, definition("second")])
    assert sorted(command["name"] for command in found) == ["open", "second"]
    await p.rest("upsertGuildCommands", commands=[OPEN])
    assert await names(p) == ["open"]


@case
async def createGuildCommand(p: Puppet) -> None:
    made = await p.rest("createGuildCommand", command=definition("created"))
    assert "created" in await names(p)
    await p.rest("deleteGuildCommand", commandId=made["id"])


@case
async def editGuildCommand(p: Puppet) -> None:
    made = await p.rest("createGuildCommand", command=definition("before"))
    await p.rest("editGuildCommand", commandId=made["id"], command=definition("after"))
    assert {"after"} == {"before", "after"} & set(await names(p))
    await p.rest("deleteGuildCommand", commandId=made["id"])


@case
async def deleteGuildCommand(p: Puppet) -> None:
    made = await p.rest("createGuildCommand", command=definition("gone"))
    await p.rest("deleteGuildCommand", commandId=made["id"])
    assert "gone" not in await names(p)


@case
async def getGuildCommands(p: Puppet) -> None:
    assert "open" in await names(p)


@case
async def getGuildCommand(p: Puppet) -> None:
    made = await p.rest("createGuildCommand", command=definition("single"))
    assert (await p.rest("getGuildCommand", commandId=made["id"]))["name"] == "single"
    await p.rest("deleteGuildCommand", commandId=made["id"])


@case
async def editGuildCommandPermissions(p: Puppet) -> None:
    command = (await p.rest("getGuildCommands"))[0]["id"]
    everyone = [{"id": p.guild, "type": 1, "permission": True}]
    await p.rest("editGuildCommandPermissions", commandId=command, permissions=everyone)
    found = await p.rest("getGuildCommandPermissions", commandId=command)
    assert found["permissions"] == everyone


@case
async def getGuildCommandsPermissions(p: Puppet) -> None:
    command = (await p.rest("getGuildCommands"))[0]["id"]
    await p.rest("editGuildCommandPermissions", commandId=command, permissions=[])
    found = await p.rest("getGuildCommandsPermissions")
    assert command in [entry["id"] for entry in found]


@case
async def getGuildCommandPermissions(p: Puppet) -> None:
    made = await p.rest("createGuildCommand", command=definition("untouched"))
    with pytest.raises(Refused, match="permissions"):
        await p.rest("getGuildCommandPermissions", commandId=made["id"])
    await p.rest("deleteGuildCommand", commandId=made["id"])


# Members


async def roles(p: Puppet, user: str) -> list[str]:
    return (await p.discord("GET", f"/guilds/{p.guild}/members/{user}"))["roles"]


@case
async def fetchMember(p: Puppet) -> None:
    assert (await p.rest("fetchMember", userId=p.user))["user"]["username"] == "you"


@case
async def listMembers(p: Puppet) -> None:
    assert p.user in [member["user"]["id"] for member in await p.rest("listMembers", limit=100)]


@case
async def searchMembers(p: Puppet) -> None:
    user = await p.member("searched")
    assert [m["user"]["id"] for m in await p.rest("searchMembers", query="search", limit=5)] == [user]


@case
async def kickMember(p: Puppet) -> None:
    user = await p.member("kicked")
    await p.rest("kickMember", userId=user, reason="kick reason")
    assert (await p.ask_discord("GET", f"/guilds/{p.guild}/members/{user}"))[0] == 404
    log = await p.discord("GET", f"/guilds/{p.guild}/audit-logs?action_type=20")
    assert log["audit_log_entries"][0]["reason"] == "kick reason"


@case
async def banMember(p: Puppet) -> None:
    user = await p.member("banned")
    await p.rest("banMember", userId=user, deleteMessageSeconds=60, reason="grüße")
    assert (await p.discord("GET", f"/guilds/{p.guild}/bans/{user}"))["reason"] == "grüße"


@case
async def unbanMember(p: Puppet) -> None:
    user = await p.member("unbanned")
    await p.discord("PUT", f"/guilds/{p.guild}/bans/{user}", {})
    await p.rest("unbanMember", userId=user)
    assert (await p.ask_discord("GET", f"/guilds/{p.guild}/bans/{user}"))[0] == 404


@case
async def fetchBan(p: Puppet) -> None:
    user = await p.member("looked-up")
    await p.discord("PUT", f"/guilds/{p.guild}/bans/{user}", {})
    assert (await p.rest("fetchBan", userId=user))["user"]["id"] == user


@case
async def listBans(p: Puppet) -> None:
    user = await p.member("listed")
    await p.discord("PUT", f"/guilds/{p.guild}/bans/{user}", {})
    assert user in [ban["user"]["id"] for ban in await p.rest("listBans", limit=100)]


@case
async def addMemberRole(p: Puppet) -> None:
    user, role = await p.member("promoted"), await p.role()
    await p.rest("addMemberRole", userId=user, roleId=role, reason="r")
    assert await roles(p, user) == [role]


@case
async def removeMemberRole(p: Puppet) -> None:
    user, role = await p.member("demoted"), await p.role()
    await p.discord("PUT", f"/guilds/{p.guild}/members/{user}/roles/{role}")
    await p.rest("removeMemberRole", userId=user, roleId=role)
    assert await roles(p, user) == []


@case
async def editMember(p: Puppet) -> None:
    user = await p.member("edited")
    until = "2050-01-01T00:00:00+00:00"
    await p.rest("editMember", userId=user, payload={"nick": "new", "communicationDisabledUntil": until})
    found = await p.discord("GET", f"/guilds/{p.guild}/members/{user}")
    assert (found["nick"], found["communication_disabled_until"][:4]) == ("new", "2050")


@case
async def editCurrentMember(p: Puppet) -> None:
    assert (await p.rest("editCurrentMember", payload={"nick": "bot"}))["nick"] == "bot"
    await p.rest("editCurrentMember", payload={"nick": None})


# The guild


@case
async def fetchGuild(p: Puppet) -> None:
    found = await p.rest("fetchGuild", withCounts=True)
    assert p.guild in (found if isinstance(found, str) else json.dumps(found))


@case
async def editGuild(p: Puppet) -> None:
    await p.rest("editGuild", payload={"name": "renamed"}, reason="r")
    assert (await p.discord("GET", f"/guilds/{p.guild}"))["name"] == "renamed"


@case
async def listChannels(p: Puppet) -> None:
    found = await p.rest("listChannels")
    assert p.channel in (found if isinstance(found, str) else json.dumps(found))


@case
async def listActiveThreads(p: Puppet) -> None:
    thread = await p.thread()
    found = await p.rest("listActiveThreads")
    assert thread in (found if isinstance(found, str) else json.dumps(found))


@case
async def listRoles(p: Puppet) -> None:
    found = await p.rest("listRoles")
    assert "@everyone" in (found if isinstance(found, str) else json.dumps(found))


@case
async def createRole(p: Puppet) -> None:
    made = await p.rest("createRole", payload={"name": "made", "permissions": "2", "hoist": True})
    found = await p.discord("GET", f"/guilds/{p.guild}/roles/{made['id']}")
    assert (found["name"], found["permissions"], found["hoist"]) == ("made", "2", True)


@case
async def editRole(p: Puppet) -> None:
    role = await p.role()
    await p.rest("editRole", roleId=role, payload={"name": "other"})
    assert (await p.discord("GET", f"/guilds/{p.guild}/roles/{role}"))["name"] == "other"


@case
async def editRolePositions(p: Puppet) -> None:
    first, second = await p.role("first"), await p.role("second")

    async def position(role: str) -> int:
        return (await p.discord("GET", f"/guilds/{p.guild}/roles/{role}"))["position"]

    before = await position(first), await position(second)
    positions = [{"roleId": first, "position": before[1]}, {"roleId": second, "position": before[0]}]
    await p.rest("editRolePositions", positions=positions)
    after = await position(first), await position(second)
    assert (before[0] < before[1]) != (after[0] < after[1])


@case
async def deleteRole(p: Puppet) -> None:
    role = await p.role()
    await p.rest("deleteRole", roleId=role, reason="r")
    assert (await p.ask_discord("GET", f"/guilds/{p.guild}/roles/{role}"))[0] == 404


@case
async def listGuildWebhooks(p: Puppet) -> None:
    hook = await p.webhook()
    found = await p.rest("listGuildWebhooks")
    assert hook["webhookId"] in (found if isinstance(found, str) else json.dumps(found))


@case
async def listInvites(p: Puppet) -> None:
    made = await p.discord("POST", f"/channels/{p.channel}/invites", {})
    assert made["code"] in json.dumps(await p.rest("listInvites"))


@case
async def fetchAuditLog(p: Puppet) -> None:
    await p.role("logged")
    found = await p.rest("fetchAuditLog", actionType=30, limit=1)
    assert "audit_log_entries" in (found if isinstance(found, str) else json.dumps(found))


# Channels and threads


@case
async def createChannel(p: Puppet) -> None:
    made = await p.rest("createChannel", payload={"name": "made", "type": 0, "topic": "t"}, reason="r")
    found = await p.discord("GET", f"/channels/{made['id']}")
    assert (found["name"], found["topic"]) == ("made", "t")


@case
async def fetchChannel(p: Puppet) -> None:
    assert (await p.rest("fetchChannel", channelId=p.channel))["name"] == "general"


@case
async def editChannel(p: Puppet) -> None:
    channel = await p.new_channel()
    await p.rest("editChannel", channelId=channel, payload={"rateLimitPerUser": 5}, reason="r")
    assert (await p.discord("GET", f"/channels/{channel}"))["rate_limit_per_user"] == 5


@case
async def deleteChannel(p: Puppet) -> None:
    channel = await p.new_channel()
    await p.rest("deleteChannel", channelId=channel, reason="r")
    assert (await p.ask_discord("GET", f"/channels/{channel}"))[0] == 404


async def overwrites(p: Puppet, channel: str) -> list[tuple[str, str, str]]:
    found = (await p.discord("GET", f"/channels/{channel}"))["permission_overwrites"]
    return [(entry["id"], entry["allow"], entry["deny"]) for entry in found]


@case
async def editChannelPermissions(p: Puppet) -> None:
    channel = await p.new_channel()
    await p.rest(
        "editChannelPermissions", channelId=channel, targetId=p.guild, type="role", deny="2048", reason="r"
    )
    assert await overwrites(p, channel) == [(p.guild, "0", "2048")]


@case
async def deleteChannelPermissions(p: Puppet) -> None:
    channel = await p.new_channel()
    await p.discord("PUT", f"/channels/{channel}/permissions/{p.guild}", {"type": 0, "deny": "2048"})
    await p.rest("deleteChannelPermissions", channelId=channel, targetId=p.guild)
    assert await overwrites(p, channel) == []


@case
async def createInvite(p: Puppet) -> None:
    made = await p.rest("createInvite", channelId=p.channel, payload={"maxAge": 60, "maxUses": 1})
    assert made["code"] in json.dumps(await p.discord("GET", f"/channels/{p.channel}/invites"))


@case
async def listChannelInvites(p: Puppet) -> None:
    channel = await p.new_channel()
    made = await p.discord("POST", f"/channels/{channel}/invites", {})
    assert [invite["code"] for invite in await p.rest("listChannelInvites", channelId=channel)] == [
        made["code"]
    ]


@case
async def createThread(p: Puppet) -> None:
    made = await p.rest("createThread", channelId=p.channel, payload={"name": "made", "type": 11}, reason="r")
    assert (await p.discord("GET", f"/channels/{made['id']}"))["parent_id"] == p.channel
    forum = await p.new_channel("forum", 15)
    message = {"content": "first", "attachments": [{"name": "f.txt", "data": "x"}]}
    post = await p.rest("createThread", channelId=forum, payload={"name": "post", "message": message})
    (first,) = await p.discord("GET", f"/channels/{post['id']}/messages")
    assert (first["content"], first["attachments"][0]["filename"]) == ("first", "f.txt")


@case
async def createThreadFromMessage(p: Puppet) -> None:
    message = await p.message()
    made = await p.rest(
        "createThreadFromMessage", channelId=p.channel, messageId=message, payload={"name": "from"}
    )
    assert (await p.discord("GET", f"/channels/{made['id']}"))["name"] == "from"


async def in_thread(p: Puppet, thread: str) -> list[str]:
    return [member["user_id"] for member in await p.discord("GET", f"/channels/{thread}/thread-members")]


@case
async def joinThread(p: Puppet) -> None:
    thread = await p.thread()
    await p.discord("DELETE", f"/channels/{thread}/thread-members/@me")
    before = len(await in_thread(p, thread))
    await p.rest("joinThread", threadId=thread)
    assert len(await in_thread(p, thread)) == before + 1


@case
async def leaveThread(p: Puppet) -> None:
    thread = await p.thread()
    before = len(await in_thread(p, thread))
    await p.rest("leaveThread", threadId=thread)
    assert len(await in_thread(p, thread)) == before - 1


@case
async def addThreadMember(p: Puppet) -> None:
    thread = await p.thread()
    await p.rest("addThreadMember", threadId=thread, userId=p.user)
    assert p.user in await in_thread(p, thread)


@case
async def removeThreadMember(p: Puppet) -> None:
    thread = await p.thread()
    await p.discord("PUT", f"/channels/{thread}/thread-members/{p.user}")
    await p.rest("removeThreadMember", threadId=thread, userId=p.user)
    assert p.user not in await in_thread(p, thread)


@case
async def listThreadMembers(p: Puppet) -> None:
    thread = await p.thread()
    await p.discord("PUT", f"/channels/{thread}/thread-members/{p.user}")
    assert p.user in [member["user_id"] for member in await p.rest("listThreadMembers", threadId=thread)]


# Webhooks


@case
async def createWebhook(p: Puppet) -> None:
    made = await p.rest("createWebhook", channelId=p.channel, payload={"name": "made"}, reason="r")
    assert made["id"] in json.dumps(await p.discord("GET", f"/channels/{p.channel}/webhooks"))


@case
async def listChannelWebhooks(p: Puppet) -> None:
    channel = await p.new_channel()
    made = await p.discord("POST", f"/channels/{channel}/webhooks", {"name": "hook"})
    assert [hook["id"] for hook in await p.rest("listChannelWebhooks", channelId=channel)] == [made["id"]]


@case
async def executeWebhook(p: Puppet) -> None:
    hook = await p.webhook()
    assert await p.rest("executeWebhook", **hook, content="unseen") is None
    made = await p.rest("executeWebhook", **hook, content="x", wait=True, username="somebody")
    found = await p.discord("GET", at(p, made["id"]))
    assert (found["content"], found["author"]["username"], found["webhook_id"]) == (
        "x",
        "somebody",
        hook["webhookId"],
    )
    thread = await p.thread()
    inside = await p.rest("executeWebhook", **hook, content="x", wait=True, threadId=thread)
    assert inside["channel_id"] == thread


@case
async def editWebhook(p: Puppet) -> None:
    hook, channel = await p.webhook(), await p.new_channel()
    moved = await p.rest("editWebhook", webhookId=hook["webhookId"], payload={"channelId": channel})
    assert moved["channel_id"] == channel
    assert (await p.rest("editWebhook", **hook, payload={"name": "other"}))["name"] == "other"


@case
async def deleteWebhook(p: Puppet) -> None:
    for with_token in (True, False):
        hook = await p.webhook()
        await p.rest("deleteWebhook", **(hook if with_token else {"webhookId": hook["webhookId"]}))
        assert (await p.ask_discord("GET", f"/webhooks/{hook['webhookId']}"))[0] == 404


@case
async def editWebhookMessage(p: Puppet) -> None:
    hook = await p.webhook()
    made = await p.rest("executeWebhook", **hook, content="x", wait=True)
    await p.rest("editWebhookMessage", **hook, messageId=made["id"], content="y")
    assert (await p.discord("GET", at(p, made["id"])))["content"] == "y"


@case
async def deleteWebhookMessage(p: Puppet) -> None:
    hook = await p.webhook()
    made = await p.rest("executeWebhook", **hook, content="x", wait=True)
    await p.rest("deleteWebhookMessage", **hook, messageId=made["id"])
    assert (await p.ask_discord("GET", at(p, made["id"])))[0] == 404


# What is refused


@pytest.mark.parity(21, 40)
async def test_codes_reach_the_script(puppet: Puppet) -> None:
    refusals: list[tuple[dict[str, Any], str, str]] = [
        ({"channelId": "x", "content": "x"}, "INVALID_INPUT", "channel_id: invalid snowflake"),
        ({"channelId": "999", "content": "x"}, "SCOPE_FORBIDDEN", "channel is outside runtime scope"),
        ({"channelId": puppet.channel, "embeds": [{"title": "x" * 300}]}, "DISCORD_HTTP_ERROR", "400"),
    ]
    for given, code, text in refusals:
        with pytest.raises(Refused, match=text) as caught:
            await puppet.rest("sendMessage", **given)
        assert caught.value.code == code
