"""Telling whoever started a process that it can do its work: one byte on an inherited pipe.

The way to restart without a gap: the old process is ended when the new one has said so.
"""

import os
import select
from contextlib import suppress


def notify_ready(descriptor: int | None) -> None:
    """Say that this process is ready, where somebody wants to know."""
    if descriptor is not None:
        with suppress(OSError):  # whoever asked is gone
            os.write(descriptor, b"1")
            os.close(descriptor)


class ReadyPipe:
    """The listening end of such a pipe."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        self._told = False

    def is_ready(self) -> bool:
        """Whether the process has said that it is ready."""
        if not self._told and self._read >= 0 and select.select([self._read], [], [], 0)[0]:
            self._told = os.read(self._read, 1) == b"1"
            self.close()
        return self._told

    def handed_over(self) -> None:
        """Close the writing end here: the process has its own by now."""
        os.close(self.write)

    def close(self) -> None:
        """Stop listening."""
        if self._read >= 0:
            os.close(self._read)
            self._read = -1
