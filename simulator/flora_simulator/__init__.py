"""A simulated Discord that speaks real HTTP and WebSocket on this machine.

``Simulator`` is the server, ``SimulatorClient`` drives it: writes and clicks as its people, waits for what
the bot does, breaks connections.
"""

from flora_simulator.client import SimulatorClient
from flora_simulator.errors import NothingHappened, SimulatorRefused
from flora_simulator.server import Simulator
from flora_simulator.settings import SimulatorSettings
from flora_simulator.wire import Acted, Action, Attachment, Fault, FirehoseOrder
from flora_simulator.world_spec import (
    DEV_CHANNEL,
    DEV_GUILD,
    DEV_USER,
    DEV_WORLD,
    BotSpec,
    ChannelSpec,
    GuildSpec,
    MemberSpec,
    RoleSpec,
    WorldSpec,
)

__all__ = [
    "DEV_CHANNEL",
    "DEV_GUILD",
    "DEV_USER",
    "DEV_WORLD",
    "Acted",
    "Action",
    "Attachment",
    "BotSpec",
    "ChannelSpec",
    "Fault",
    "FirehoseOrder",
    "GuildSpec",
    "MemberSpec",
    "NothingHappened",
    "RoleSpec",
    "Simulator",
    "SimulatorClient",
    "SimulatorRefused",
    "SimulatorSettings",
    "WorldSpec",
]
