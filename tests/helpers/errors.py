"""Faults that tests put in the place of functions."""

import errno
from typing import Any, NoReturn


def raise_disk_full(*_: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")
