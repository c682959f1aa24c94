"""Worker processes with the stub model: real workers that need not load torch.

`python -m tests.reliability.harness.stub_worker SECONDS [apart|lossy|leaky]` runs one worker.
SECONDS is the inference time of an image; settings come from the environment. "apart" puts the
stub model into a model process; "lossy" and "leaky" are the negative controls.

`python -m tests.reliability.harness.stub_worker SECONDS fork-server` reads kinds of workers from
standard input, one a line, forks one for each and prints its process id. A forked worker starts
in milliseconds, so that many can be killed.
"""

import os
import signal
import sys
import time

from redis.exceptions import ResponseError

from service.config.settings import load_settings
from service.observability import set_up_logs
from service.queue.consumer import Consumer
from service.supervisor.spawn import notify_ready
from service.worker.batching import Batcher
from service.worker.model_process import ModelProcess
from service.worker.worker import Worker
from tests.helpers.service.stub_model import StubModel


class StubModelProcess(ModelProcess):
    module = "tests.reliability.harness.stub_model_process"


class LossyConsumer(Consumer):
    """Loses every 50th task on purpose: acknowledges it without a result."""

    def finish(self, leases, outcomes):
        kept = [pair for pair in zip(leases, outcomes, strict=True) if pair[0].task.seed % 50]
        for lease in leases:
            if lease.task.seed % 50 == 0:
                self._redis.xack(lease.stream, "workers", lease.entry)
                self._redis.xdel(lease.stream, lease.entry)
        return super().finish([lease for lease, _ in kept], [outcome for _, outcome in kept])


class LeakyConsumer(Consumer):
    """Keeps renewing leases of tasks whose results Redis refused to store."""

    def drop_leases(self):
        pass

    def finish(self, leases, outcomes):
        try:
            return super().finish(leases, outcomes)
        except ResponseError as error:
            raise ResponseError("not tried again") from error


KINDS = {"lossy": LossyConsumer, "leaky": LeakyConsumer}


def main(seconds: float = 0.0, kind: str = "") -> None:
    settings = load_settings()
    set_up_logs()
    policy = Batcher(settings.batch_limit, settings.lease_seconds, time.monotonic)
    consumer = KINDS.get(kind, Consumer)(settings)

    def load():
        return StubModelProcess([], str(seconds), 60) if kind == "apart" else StubModel(seconds)

    worker = Worker(consumer, load, policy)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run(lambda: notify_ready(settings.ready_fd))


def fork_workers(seconds: float) -> None:
    """Fork a worker for each line of standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps them
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            main(seconds, line.strip())
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    if sys.argv[2:] == ["fork-server"]:
        fork_workers(float(sys.argv[1]))
    else:
        main(float(sys.argv[1]), *sys.argv[2:])
