"""What flora keeps in Postgres: bundles, and which sources they were made from.

``pool``        connections, deadlines, tries, and what an error of Postgres means
``bundles``     bundles by their hash
``migrate``     brings the schema up to date; ``migrations`` has the steps, for alembic
``main``        ``flora-migrate``
"""

from flora_core.database.bundles import BundleInfo, Bundles
from flora_core.database.migrate import Migration
from flora_core.database.pool import Database, DatabaseLimits

__all__ = ["BundleInfo", "Bundles", "Database", "DatabaseLimits", "Migration"]
