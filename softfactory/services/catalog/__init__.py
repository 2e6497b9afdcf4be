"""Rows and objects, kept together: every change that touches both happens here.

Row first: the row is committed before the first byte moves and completed after the last. What a
crash leaves is a pending row that ``files cleanup`` finds. Deleting goes the other way round: the
row is locked, the object deleted, and only then the row's end committed.
"""

from softfactory.services.catalog.catalog import Catalog
from softfactory.services.catalog.rows import RACES, note

__all__ = ["RACES", "Catalog", "note"]
