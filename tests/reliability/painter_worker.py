"""A worker process whose model is a painter: the real worker, without seconds of loading torch.

`python -m tests.reliability.painter_worker [seconds an image]`, settings from the environment.
"""

import signal
import sys
import time

from service.batcher import Batcher
from service.consumer import Consumer
from service.logs import set_up_logs
from service.settings import load_settings
from service.worker import Worker
from tests.service.painter import Painter


def main(seconds: float) -> None:
    settings = load_settings()
    set_up_logs()
    policy = Batcher(settings.batch_limit, settings.lease_seconds, time.monotonic)
    worker = Worker(Consumer(settings), lambda: Painter(seconds), policy)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
