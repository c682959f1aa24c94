"""Guards: what goes wrong with these methods, watched for while a run trains."""

from training.monitors.base import Action, Finding, Guard, Observation
from training.monitors.log import FINDINGS, read_findings, record
from training.monitors.monitor_set import Watch
from training.monitors.settings import GuardSettings

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
