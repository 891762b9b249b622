"""Deploying scripts: revisions in Postgres, GuildDeployments in the cluster, and what becomes of them.

``request``     what somebody wants deployed, checked        ``revisions`` what is kept, as values
``history``     revisions in Postgres; also the lock         ``diff``      what changed in it
``store``       the port to the cluster; ``kube`` is the API server, ``memory`` this process
``observed``    all objects as they are, in short            ``verdict``   what became of it
``deploying``   from a request to a revision that is applied ``settling``  from there to its end
``progress``    the stream that tells of it                  ``routes``    all of it over HTTP

A replica that dies in the middle of a deploy is not missed: the revision is in Postgres, the object in the
cluster, and the others see both.
"""

from flora_api.deployments.routes import router
from flora_api.deployments.service import Deployments, DeploySettings, open_deployments

__all__ = ["DeploySettings", "Deployments", "open_deployments", "router"]
