"""Guards: what goes wrong with these methods, watched for while a run trains."""

from training.guards.base import Action, Finding, Guard, Observation
from training.guards.record import FINDINGS, read_findings, record
from training.guards.settings import GuardSettings
from training.guards.watch import Watch

__all__ = [
    "FINDINGS",
    "Action",
    "Finding",
    "Guard",
    "GuardSettings",
    "Observation",
    "Watch",
    "read_findings",
    "record",
]
