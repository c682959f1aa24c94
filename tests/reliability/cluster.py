"""A whole service of processes to be ill-treated: Valkey, APIs and workers, on loopback alone."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis

from service.queue.redis_keys import RedisKeys
from service.supervisor.embedded_redis import EmbeddedRedis
from tests.helpers.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PAINTER = ["-m", "tests.reliability.painter_worker"]


@dataclass
class Hatched:
    """A worker process that a nursery has forked."""

    pid: int

    def poll(self) -> int | None:
        """None while it lives."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return -9
        return -9 if state == "Z" else None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)


@dataclass
class Cluster:
    """Processes with their settings; what is killed is started again by whoever kills it.

    Attributes:
        folder: takes Valkey's data and all logs.
        settings: CAPTIONFILL_ settings of every process, by their short names.
        seconds: what the painters take for an image.
        fsync: of Valkey's append-only file.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    fsync: str = "always"
    processes: list[subprocess.Popen] = field(default_factory=list)
    _hatched: list[Hatched] = field(default_factory=list)
    _nursery: subprocess.Popen | None = None

    def __post_init__(self) -> None:
        self.server = EmbeddedRedis(self.folder / "valkey", "512mb", self.fsync)
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.keys = RedisKeys(self.settings.get("NAMESPACE", "captionfill"))

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.server.url, protocol=2)

    def depth(self) -> int:
        """How many entries there are in all streams."""
        client = self.redis()
        streams = client.scan_iter(f"{self.keys.prefix}jobs*", count=1000)
        return sum(client.xlen(stream) for stream in streams)

    def api(self, port: int | None = None) -> subprocess.Popen:
        """Start an API process."""
        more = {"PORT": str(port or self.port), "HOST": "127.0.0.1"}
        return self._spawn("api", ["-m", "service.cli.main", "api"], more)

    def worker(self, kind: str = "") -> Hatched:
        """Start a worker process with the stub model, or of another kind; at once."""
        if self._nursery is None:
            command = [*PAINTER, str(self.seconds), "nursery"]
            self._nursery = self._spawn("worker", command, pipes=True)
        self._nursery.stdin.write(f"{kind}\n")
        self._nursery.stdin.flush()
        worker = Hatched(int(self._nursery.stdout.readline()))
        self._hatched.append(worker)
        return worker

    def wait_until_ready(
        self, workers: int = 1, seconds: float = 60.0, address: str | None = None
    ) -> None:
        """Wait until the API, or the one at an address, says that so many workers live."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = httpx.get(f"{address or self.address}/readyz", timeout=5)
                if answer.status_code == 200 and answer.json()["workers"] >= workers:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"not ready after {seconds:g} s; the logs are in {self.folder}")

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        """The whole environment of a process: ours, less what is set here, and the settings."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("CAPTIONFILL_") and key not in ("REDIS_URL", "HOST", "PORT")
        }
        chosen = {"REDIS_URL": self.server.url, **self.settings, **more}
        set_here = {f"CAPTIONFILL_{key}": value for key, value in chosen.items()}
        return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **set_here}

    def close(self) -> None:
        for process in [*self._hatched, *self.processes]:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.server.stop()

    def _spawn(
        self,
        name: str,
        command: list[str],
        more: dict[str, str] | None = None,
        *,
        pipes: bool = False,
    ) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment(more or {}),
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log,
                stderr=log,
                cwd=self.folder,
                text=True,
            )
        self.processes.append(process)
        return process
