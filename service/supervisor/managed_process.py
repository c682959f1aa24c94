"""A supervised child process: restarted when it ends, replaced without interruption."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from service.supervisor.spawn import ReadyPipe, stop

_LONGEST_BACKOFF = 30.0
# After this time a process counts as started: the restart delay begins anew.
_HEALTHY_SECONDS = 30.0
# A successor that is not ready by then is stopped, and the old process stays.
_READY_SECONDS = 300.0

# Starts a process that reports readiness on the given descriptor.
Start = Callable[[int], "subprocess.Popen[bytes]"]


class ManagedProcess:
    """A process that is kept running; its output is appended to ``log``."""

    def __init__(self, name: str, start: Start, log: Path, drain_timeout: float) -> None:
        self.name, self.log = name, log
        self._start, self._drain_seconds = start, drain_timeout
        self._backoff = 0.5
        self._successor: tuple[subprocess.Popen[bytes], ReadyPipe, float] | None = None
        self._stopping: list[tuple[subprocess.Popen[bytes], float]] = []
        self._restart_at: float | None = None
        self._run()

    def is_ready(self) -> bool:
        """Whether the process has reported that it is ready."""
        return self._readiness.is_ready()

    def replace(self) -> None:
        """Start a successor. Once it is ready, the old process finishes its requests and ends."""
        if self._successor is None:
            self._successor = (*self._spawn(), time.monotonic())

    def poll(self, now: float) -> None:
        """Restart the process if it has ended and the delay is over; complete a replacement."""
        self._poll_stopping(now)
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
        """Stop all processes, also those of a replacement."""
        processes = [self.process, *(process for process, _ in self._stopping)]
        if self._successor:
            processes.append(self._successor[0])
        for process in processes:
            process.terminate()  # all first, because each may have a batch to finish
        for process in processes:
            stop(process)

    def log_tail(self) -> str:
        """Return the last line of the log."""
        lines = self.log.read_text(errors="replace").strip().split("\n")
        return lines[-1].removeprefix("captionfill: ") if lines[-1] else "its log is empty"

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
            self._stopping.append((self.process, now + self._drain_seconds))
            self._readiness.close()
            self.process, self._readiness, self._started = process, readiness, now
            self._restart_at = None
            self._successor = None
        elif process.poll() is not None or now - since > _READY_SECONDS:
            stop(process)
            readiness.close()
            self._successor = None

    def _poll_stopping(self, now: float) -> None:
        for process, until in self._stopping:
            if now > until and process.poll() is None:
                process.kill()
        self._stopping = [one for one in self._stopping if one[0].poll() is None]
