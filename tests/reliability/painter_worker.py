"""A worker process whose model is a painter: the real worker, without seconds of loading torch.

`python -m tests.reliability.painter_worker [seconds an image] [apart|lossy]`, settings from the
environment. "apart" puts the painter into a model process; "lossy" is the negative control.
"""

import signal
import sys
import time

from service.batcher import Batcher
from service.consumer import Consumer
from service.logs import set_up_logs
from service.model_process import ModelProcess
from service.readiness import tell_ready
from service.settings import load_settings
from service.worker import Worker
from tests.service.painter import Painter


class PainterProcess(ModelProcess):
    module = "tests.reliability.painter_model"


class Lossy(Consumer):
    """Forgets one piece of work in fifty on purpose: acknowledged, and never answered."""

    def finish(self, leases, outcomes):
        kept = [pair for pair in zip(leases, outcomes, strict=True) if pair[0].work.seed % 50]
        for lease in leases:
            if lease.work.seed % 50 == 0:
                stream = self._keys.lane(lease.lane)
                self._redis.xack(stream, "workers", lease.entry)
                self._redis.xdel(stream, lease.entry)
        return super().finish([lease for lease, _ in kept], [outcome for _, outcome in kept])


def main(seconds: float = 0.0, kind: str = "") -> None:
    settings = load_settings()
    set_up_logs()
    policy = Batcher(settings.batch_limit, settings.lease_seconds, time.monotonic)
    consumer = (Lossy if kind == "lossy" else Consumer)(settings)

    def load():
        return PainterProcess([], str(seconds), 60) if kind == "apart" else Painter(seconds)

    worker = Worker(consumer, load, policy)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run(lambda: tell_ready(settings.ready_fd))


if __name__ == "__main__":
    main(*(float(text) if i == 0 else text for i, text in enumerate(sys.argv[1:])))
