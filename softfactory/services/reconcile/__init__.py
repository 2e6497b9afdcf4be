"""Database and storage compared: what one has and the other lacks, found and put in order.

Nothing that live traffic does meanwhile is a difference. What looks like one is looked at again,
after a pause, with the row locked. Memory goes by what is found, and one bit a row.
"""

from softfactory.services.reconcile.reconciliation import Reconciliation
from softfactory.services.reconcile.report import ReconcileReport

__all__ = ["ReconcileReport", "Reconciliation"]
