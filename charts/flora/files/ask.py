"""What `helm test` runs: somebody in the simulated Discord asks, and the script that was deployed answers.

python3 ask.py URL GUILD SECONDS; the standard library alone. Exit code 1 when there is no answer.
"""

import json
import sys
import time
import urllib.error
import urllib.request

QUESTION = "!helm-test"
ANSWER = "helm-test ok"
PATIENCE_SECONDS = 5


def main(url: str, guild: str, seconds: float) -> int:
    """Make the guild when it is not there, then ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            be_in(url, guild)
            if asked(url, guild):
                print(f"guild {guild} answered")
                return 0
        except urllib.error.HTTPError as error:
            print(f"{error.url}: {error.code} {error.read().decode(errors='replace')}")
        except OSError as error:
            print(f"{url}: {error}")
        time.sleep(1)
    print(f"no answer in {seconds:g} s; look at: kubectl describe gd guild-{guild}")
    return 1


def be_in(url: str, guild: str) -> None:
    """See to it that the guild is there, with the bot in it."""
    if not any(known["id"] == guild for known in call(url, "GET", "/world")["guilds"]):
        call(url, "POST", "/guilds", {"name": "helm test", "id": guild})
        print(f"made guild {guild}")


def asked(url: str, guild: str) -> bool:
    """Whether the bot answers a message."""
    act = call(url, "POST", f"/guilds/{guild}/messages", {"content": QUESTION})
    path = f"/guilds/{guild}/answers?after={act['position']}&count=1&timeout={PATIENCE_SECONDS}"
    answers = call(url, "GET", path)["answers"]
    if not answers:
        print("no answer yet" if act["listeners"] else "no bot is connected yet")
    return any(answer["content"] == ANSWER for answer in answers)


def call(url: str, method: str, path: str, body: object = None) -> dict:
    """What a route of the simulator's control answers, decoded."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/control{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=4 * PATIENCE_SECONDS) as response:
        return json.load(response)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), sys.argv[2], float(sys.argv[3])))
