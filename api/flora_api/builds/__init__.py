"""Projects that are bundled here from an archive of their folder.

``archive``  what is in it, without anything being unpacked to a disk    ``table``   builds in Postgres
``service``  a bounded queue, a few workers                              ``routes``  over HTTP

Nothing is installed: npm packages count when the archive has them, in ``node_modules``. An install would run
other people's network and archives inside the fleet, for what ``flora deploy`` does on its author's machine.
"""

from flora_api.builds.routes import router
from flora_api.builds.service import Builds, BuildSettings, open_builds

__all__ = ["BuildSettings", "Builds", "open_builds", "router"]
