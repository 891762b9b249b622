"""What `helm test` runs: somebody in the simulated Discord asks, and the script that was deployed answers.

python3 ask.py URL GUILD SECONDS; the standard library alone. Exit code 1 when there is no answer.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

CHANNEL = "helm-test"
QUESTION = "!helm-test"
ANSWER = "helm-test ok"
OWNER = "helm"


def main(url: str, guild: str, seconds: float) -> int:
    """Make the guild when it is not there, then ask until there is an answer."""
    deadline = time.monotonic() + seconds
    channel = ""
    while time.monotonic() < deadline:
        try:
            channel = channel or the_channel(url, guild)
            if asked(url, channel):
                print(f"guild {guild} answered")
                return 0
            print("no answer yet")
        except urllib.error.HTTPError as error:
            print(f"{error.url}: {error.code} {error.read().decode(errors='replace')}")
        except OSError as error:
            print(f"{url}: {error}")
        time.sleep(1)
    print(f"no answer in {seconds:g} s; look at: kubectl describe gd guild-{guild}")
    return 1


def the_channel(url: str, guild: str) -> str:
    """The id of the guild's channel for this; the guild is made when it is not there."""
    world = call(url, "GET", "/world")
    if not any(known["id"] == guild for known in world["guilds"]):
        channels = [{"name": CHANNEL}]
        call(url, "POST", "/guilds", {"name": "helm test", "id": guild, "owner": OWNER, "channels": channels})
        world = call(url, "GET", "/world")
    (known,) = [known for known in world["guilds"] if known["id"] == guild]
    return next(channel["id"] for channel in known["channels"] if channel["name"] == CHANNEL)


def asked(url: str, channel: str) -> bool:
    """Whether the bot answers a message within 5 s."""
    act = call(url, "POST", "/messages", {"user": OWNER, "channel": channel, "content": QUESTION})
    query = urllib.parse.urlencode(
        {"after": act["position"], "channel": channel, "kind": "message", "timeout": 5}
    )
    actions = call(url, "GET", f"/wait?{query}")["actions"]
    return any(action["message"]["content"] == ANSWER for action in actions)


def call(url: str, method: str, path: str, body: object = None) -> dict:
    """What a control route answers, decoded."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/_sim{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), sys.argv[2], float(sys.argv[3])))
