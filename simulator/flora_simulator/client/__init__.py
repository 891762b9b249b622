"""The control interface as a Python object, for tests, ``flora dev`` and benchmarks.

async with SimulatorClient(url) as people:
    act = await people.post("!ping", channel="general")
    answer = await people.next_action(act.position, kinds=["message"])
    assert answer.message["content"] == "pong"
"""

from flora_simulator.client.network import NetworkCalls
from flora_simulator.client.people import PeopleCalls
from flora_simulator.client.places import PlacesCalls

__all__ = ["SimulatorClient"]


class SimulatorClient(PeopleCalls, PlacesCalls, NetworkCalls):
    """Speaks as the people of a simulated Discord at ``url``; use it in ``async with``.

    Every method raises SimulatorRefused with the simulator's own words when it says no.
    """
