"""Inference tasks to results: the loaded bundles by name, and each task's own failure.

`python -m service.worker.predictor` is the worker's model process.
"""

import logging
import os
import sys
from collections.abc import Sequence
from os import PathLike
from typing import Self

import numpy as np

from captionfill.caption_vectors import SharedCache
from captionfill.device_errors import is_device_error, is_out_of_memory
from captionfill.errors import StartError
from captionfill.imaging.grid import SIZE
from captionfill.inpainter import Inpainter
from captionfill.windows import WindowFills, WindowRequest
from service.config.settings import load_settings
from service.observability import set_up_logs
from service.queue.task import InferenceResult, InferenceTask, OutOfMemory
from service.worker.caption_cache import CaptionCache
from service.worker.model_process import serve


class Predictor:
    """Inpainters by the name of their bundle; a `service.worker.model_process.LoadedModel`."""

    def __init__(self, inpainters: Sequence[Inpainter]) -> None:
        self._inpainters = {one.name: one for one in inpainters}
        self.default = inpainters[0].name
        self.models = {one.name: one.digest for one in inpainters}
        self.engines = {one.name: one.engine.name for one in inpainters}

    @classmethod
    def load(
        cls,
        places: Sequence[str | PathLike[str]],
        device: str = "cpu",
        engine: str = "auto",
        threads: int = 1,
        shared_captions: SharedCache | None = None,
    ) -> Self:
        """Load bundles as `captionfill.Inpainter.load` does; the first is the default.

        Raises:
            StartError: a bundle cannot be loaded, or two share a name.
        """
        loaded: list[Inpainter] = []
        for place in places:
            one = Inpainter.load(
                place, device, engine, threads=threads, shared_captions=shared_captions
            )
            loaded.append(one)
            if loaded[-1].name in [one.name for one in loaded[:-1]]:
                raise StartError(f"two bundles are called {loaded[-1].name!r}")
        return cls(loaded)

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Fill every task by the bundle it names, in one batch per bundle.

        An exception stands for a task that failed; it is `OutOfMemory` where the device's memory
        does not hold one image of it.

        Raises:
            Exception: a device error (`captionfill.device_errors`): end the process.
        """
        names = [task.model or self.default for task in tasks]
        results: dict[int, InferenceResult | Exception] = {}
        for name in dict.fromkeys(names):
            rows = [row for row, other in enumerate(names) if other == name]
            results.update(zip(rows, self._predict(name, [tasks[i] for i in rows]), strict=True))
        return [results[row] for row in range(len(tasks))]

    def _predict(
        self, name: str, tasks: Sequence[InferenceTask]
    ) -> list[InferenceResult | Exception]:
        """Fill a batch by one bundle; where it fails, each task alone, to find out which fails."""
        inpainter = self._inpainters.get(name)
        if inpainter is None:
            return [LookupError(f"no bundle called {name!r} is loaded")] * len(tasks)
        try:
            fills = inpainter.fill_windows([_request(task) for task in tasks])
        except Exception as error:
            if is_device_error(error):
                raise  # no task is to blame, and every later one would fail as well
            if len(tasks) == 1:
                return [OutOfMemory(str(error)) if is_out_of_memory(error) else error]
            return [self._predict(name, [task])[0] for task in tasks]
        return [_result(inpainter, one) for one in fills]


def _request(task: InferenceTask) -> WindowRequest:
    windows = np.frombuffer(task.window, np.uint8).reshape(-1, SIZE, SIZE, 3)
    return WindowRequest(
        windows, task.caption, task.seeds, task.other, task.temperature, task.scored
    )


def _result(inpainter: Inpainter, made: WindowFills) -> InferenceResult:
    return InferenceResult(
        fills=made.fills.tobytes(),
        others=made.compared.tobytes(),
        seeds=made.seeds,
        scores=made.scores,
        truncated=made.truncated,
        unknown=made.unknown,
        model=inpainter.name,
        bundle=inpainter.digest,
        engine=inpainter.engine.name,
    )


def main(descriptor: int, device: str, engine: str, threads: int, places: Sequence[str]) -> None:
    """Load bundles and serve them."""
    set_up_logs()
    settings = load_settings()
    cache = CaptionCache(settings) if settings.caption_cache else None
    serve(descriptor, lambda: Predictor.load(places, device, engine, threads, cache))
    # Skip the destructors of torch, which take two seconds, and what is still being written.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
