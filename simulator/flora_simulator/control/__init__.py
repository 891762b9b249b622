"""The control interface: what tests and ``flora dev`` do to the simulated Discord, over HTTP.

It answers under ``/control/``, to this machine alone unless the settings say otherwise: there is no password,
and whoever reaches it may speak as anybody.
"""

from flora_simulator.control.guilds import GuildsControl
from flora_simulator.control.http import CONTROL_PREFIX, ControlEndpoint, control_handler
from flora_simulator.control.network import NetworkControl
from flora_simulator.control.people import PeopleControl
from flora_simulator.control.places import PlacesControl

__all__ = [
    "CONTROL_PREFIX",
    "ControlEndpoint",
    "GuildsControl",
    "NetworkControl",
    "PeopleControl",
    "PlacesControl",
    "control_handler",
]
