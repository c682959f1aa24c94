"""A child process that is restarted when it ends, and can be replaced without a gap."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from service.supervisor.readiness import ReadyPipe
from service.supervisor.spawn import stop

_LONGEST_BACKOFF = 30.0
# A child that ran this long did not crash at start: its next restart is at once.
_HEALTHY_SECONDS = 30.0
# A successor that is not ready by then is given up, and the old process stays.
_READY_SECONDS = 300.0

# Starts a process that says on the given descriptor when it is ready.
Start = Callable[[int], "subprocess.Popen[bytes]"]


class ManagedProcess:
    """A process that is kept running.

    Attributes:
        name: for people.
        process: the one that serves.
        log: takes its output.
    """

    def __init__(self, name: str, start: Start, log: Path, drain_timeout: float) -> None:
        self.name, self.log = name, log
        self._start, self._drain_seconds = start, drain_timeout
        self._backoff = 0.5
        self._successor: tuple[subprocess.Popen[bytes], ReadyPipe, float] | None = None
        self._leaving: list[tuple[subprocess.Popen[bytes], float]] = []
        self._restart_at: float | None = None
        self._run()

    def is_ready(self) -> bool:
        """Whether the process has said so."""
        return self._readiness.is_ready()

    def replace(self) -> None:
        """Start a successor; once it is ready the old process finishes what it has, and ends."""
        if self._successor is None:
            self._successor = (*self._spawn(), time.monotonic())

    def poll(self, now: float) -> None:
        """Restart the process if it has ended and its time has come; see to a replacement."""
        self._poll_leaving(now)
        if self._successor is not None:
            self._poll_successor(now)
        elif self.process.poll() is None:
            pass
        elif self._restart_at is None:
            healthy = now - self._started > _HEALTHY_SECONDS
            self._backoff = 0.5 if healthy else min(2 * self._backoff, _LONGEST_BACKOFF)
            self._restart_at = now + self._backoff
        elif now >= self._restart_at:
            self._readiness.close()
            self._run()

    def stop(self) -> None:
        """End it, and whatever is left of a replacement."""
        successor = [self._successor[0]] if self._successor else []
        old = [process for process, _ in self._leaving]
        for process in [self.process, *successor, *old]:
            if process.poll() is None:
                process.terminate()  # all at once: each may have a batch to finish
        for process in [self.process, *successor, *old]:
            stop(process)

    def log_tail(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().split("\n")
        return lines[-1].removeprefix("captionfill: ") if lines[-1] else "it said nothing"

    def _run(self) -> None:
        self.process, self._readiness = self._spawn()
        self._started = time.monotonic()
        self._restart_at = None

    def _spawn(self) -> tuple[subprocess.Popen[bytes], ReadyPipe]:
        readiness = ReadyPipe()
        process = self._start(readiness.write)
        readiness.handed_over()
        return process, readiness

    def _poll_successor(self, now: float) -> None:
        assert self._successor is not None
        process, readiness, since = self._successor
        if readiness.is_ready():
            self.process.terminate()
            self._leaving.append((self.process, now + self._drain_seconds))
            self._readiness.close()
            self.process, self._readiness, self._started = process, readiness, now
            self._restart_at = None
            self._successor = None
        elif process.poll() is not None or now - since > _READY_SECONDS:
            stop(process)
            readiness.close()
            self._successor = None

    def _poll_leaving(self, now: float) -> None:
        for process, until in self._leaving:
            if now > until and process.poll() is None:
                process.kill()
        self._leaving = [one for one in self._leaving if one[0].poll() is None]
