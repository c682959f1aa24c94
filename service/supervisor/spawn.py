"""Child processes: started apart from the terminal, ended with their parent."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 15.0


def spawn(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, so that Ctrl-C reaches its parent alone.

    On Linux the kernel ends it should the parent be killed. Call from the main thread: to the
    kernel the parent is the thread.

    Args:
        command: program and arguments.
        log: takes standard output and error, added at its end.
        environment: the child's whole environment; this process's own by default.
        keep: descriptors that the child inherits.
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
    """End a process politely, and by force where that does not help."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
