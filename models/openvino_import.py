"""OpenVINO, imported without its telemetry, and its one core."""

import importlib
import importlib.util
import sys
from functools import cache
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


@cache
def openvino_core() -> Any:
    """Return the process's one `openvino.Core`, which is never destroyed.

    The CPU plugin of each core replaces the thread's alternate signal stack, and unmaps it when it
    is destroyed. With two cores, one of them can leave a stack that is no longer mapped, and the
    next signal with a handler in Python ends the process with SIGSEGV.
    """
    return import_openvino().Core()
