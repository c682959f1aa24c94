"""OpenVINO, imported without its telemetry."""

import importlib
import importlib.util
import sys
from typing import Any


def is_installed() -> bool:
    """Tell whether OpenVINO is there, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def import_openvino() -> Any:
    """Import OpenVINO, silenced: else the import and every conversion report to its makers.

    Without its telemetry package OpenVINO takes a stub that sends nothing.
    """
    name = "openvino_telemetry"
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # how Python says "absent"
    return importlib.import_module("openvino")
