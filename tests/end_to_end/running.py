"""The whole service as a process, started as a user starts it."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import redis

from service.supervisor.spawn import _die_with_parent
from tests.helpers.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Service:
    """A running `captionfill serve`: its one line, where it listens, and its queue."""

    process: subprocess.Popen
    line: str
    folder: Path

    @property
    def address(self):
        return re.search(r"http://\S+", self.line)[0]

    @property
    def queue(self):
        return redis.Redis(unix_socket_path=str(self.folder / ".captionfill" / "valkey.sock"))

    def worker_pid(self):
        """The newest worker's process, by the name it gives itself."""
        heartbeats = self.queue.hgetall("{captionfill}:workers")
        newest = max(heartbeats, key=lambda name: json.loads(heartbeats[name])["at"]).decode()
        return int(newest.rsplit("-", 2)[1])

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def start_service(folder, bundle):
    kept = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    settings = {"CAPTIONFILL_BUNDLE": str(bundle), "PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli.main", "serve"],
        cwd=folder,
        env={**kept, **settings, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=(folder / "serve.err").open("w"),
        text=True,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )
    return Service(process, process.stdout.readline(), folder)
