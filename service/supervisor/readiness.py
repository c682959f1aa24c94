"""Readiness of a child process: it writes one byte to an inherited pipe.

The supervisor stops an old process when its successor is ready, so that no request is refused.
"""

import os
import select
from contextlib import suppress


def notify_ready(descriptor: int | None) -> None:
    """Report that this process is ready, if a descriptor was given."""
    if descriptor is not None:
        with suppress(OSError):  # the parent has ended
            os.write(descriptor, b"1")
            os.close(descriptor)


class ReadyPipe:
    """The parent's end of the pipe."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        self._is_ready = False

    def is_ready(self) -> bool:
        """Whether the process has reported that it is ready."""
        if not self._is_ready and self._read >= 0 and select.select([self._read], [], [], 0)[0]:
            self._is_ready = os.read(self._read, 1) == b"1"
            self.close()
        return self._is_ready

    def handed_over(self) -> None:
        """Close the writing end in the parent, after the child has inherited it."""
        os.close(self.write)

    def close(self) -> None:
        """Close the reading end."""
        if self._read >= 0:
            os.close(self._read)
            self._read = -1
