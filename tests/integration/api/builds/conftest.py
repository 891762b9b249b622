"""The same API of deployments, for builds."""

from tests.integration.api.deployments.conftest import database, stage
from tests.integration.database.conftest import postgres, url

__all__ = ["database", "postgres", "stage", "url"]
