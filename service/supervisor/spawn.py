"""Child processes: in their own session, ended with their parent, reporting when they are ready.

A child reports by writing one byte to an inherited pipe. The supervisor stops an old process when
its successor is ready, so that no request is refused.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 15.0


def spawn(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, so that Ctrl-C reaches only the parent.

    On Linux the kernel ends it if the parent is killed. Call this from the main thread: for the
    kernel the parent is the calling thread. Standard output and error are appended to ``log``;
    the child inherits the descriptors of ``keep``.
    """
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603 - our own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=keep,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process; kill it if it does not end in 15 s."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def notify_ready(descriptor: int | None) -> None:
    """Report that this process is ready, if a descriptor was given."""
    if descriptor is not None:
        with suppress(OSError):  # the parent has ended
            os.write(descriptor, b"1")
            os.close(descriptor)


class ReadyPipe:
    """The parent's end of the pipe, on which a child reports that it is ready."""

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
