"""Discord's REST API for guilds' scripts: scope, limits, repeats, and a lean HTTP client.

``proxy``        takes ops and gives results; the rest serves it
``route_table``  what a script may call, in the terms of ``routes``; ``plans`` and ``targets`` make requests
                 of its rows, ``uploads`` puts files around them
``scope``        whose a channel or interaction is; ``lookup`` asks Discord when no event told;
                 ``ownership`` holds an op against both, with what ``references`` finds in its body
``limiter``      what may go out now (``buckets``, ``window``); ``invalid`` keeps us from being banned
``answers``      what goes back for an op
``sender``       drives the limiter and the transport; ``retry`` says what is made again
``transport``    the port; ``pool`` and ``http1`` are the lean client, ``aiohttp_transport`` the other one
"""

from flora_gateway.rest.proxy import Done, Proxy
from flora_gateway.rest.route_table import ROUTES
from flora_gateway.rest.routes import Route
from flora_gateway.rest.scope import Scope, ScopeMap
from flora_gateway.rest.settings import RestSettings

__all__ = ["ROUTES", "Done", "Proxy", "RestSettings", "Route", "Scope", "ScopeMap"]
