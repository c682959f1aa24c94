"""Monitors: checks of a run for mode collapse and other failures of GANs."""

from training.monitors.base import Action, Finding, Monitor, Observation
from training.monitors.log import FINDINGS, read_findings, record_findings
from training.monitors.monitor_set import MonitorSet
from training.monitors.settings import MonitorSettings

__all__ = [
    "FINDINGS",
    "Action",
    "Finding",
    "Monitor",
    "MonitorSet",
    "MonitorSettings",
    "Observation",
    "read_findings",
    "record_findings",
]
