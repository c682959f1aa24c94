"""Work -> fills: the one module of the service that knows the networks."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from captionfill.device_errors import is_device_error, is_out_of_memory
from captionfill.errors import StartError
from models.captions import CaptionEncoder
from models.errors import ModelsError
from models.geometry import SIZE, hole_mask, paste
from models.runtime.bundle import load_bundle
from models.runtime.engines import Engine, load_engine
from service.observability.logs import describe
from service.queue.task import InferenceResult, InferenceTask, OutOfMemory

log = logging.getLogger("captionfill.worker")

_CAPTIONS_KEPT = 4096


class Predictor:
    """An engine with its bundle, and the bundle's sentence encoder, ready to fill.

    Captions are embedded one at a time, whatever batch they came in; what a batch of images is to
    the engine is its own business, and it says what may differ by it.
    """

    def __init__(self, engine: Engine, encoder: CaptionEncoder) -> None:
        bundle = engine.bundle
        bundle.check_encoder(encoder)
        self.engine = engine
        self.name, self.digest = bundle.config.name, bundle.digest
        self._embed = lru_cache(_CAPTIONS_KEPT)(lambda caption: encoder.encode([caption]))
        self._is_cut = lru_cache(_CAPTIONS_KEPT)(encoder.is_truncated)
        self._is_unknown = lru_cache(_CAPTIONS_KEPT)(encoder.is_unknown)

    @classmethod
    def load(
        cls, folder: Path, device: str = "cpu", engine: str = "auto", threads: int = 1
    ) -> Self:
        """Load a bundle and the encoder it was trained with.

        Args:
            folder: the bundle's.
            device: torch device.
            engine: as `models.runtime.engines.load_engine` takes it, and `threads` too.
            threads: how many images are filled at one time.

        Raises:
            StartError: the bundle or the encoder cannot be used, the device is not there, or the
                engine cannot be had.
        """
        with _starting(device):
            bundle = load_bundle(folder, device)
            encoder = CaptionEncoder.load(bundle.config.encoder, device)
            return cls(load_engine(bundle, engine, threads), encoder)

    def predict(self, works: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Fill every candidate of every piece of work; a bad piece fails alone.

        Returns:
            For each piece its fills, uint8 `(count, 32, 32, 3)` as bytes, or its exception;
            `OutOfMemory` where not even one image of it fits.

        Raises:
            Exception: one of `captionfill.device_errors`: the process is to be ended.
        """
        try:
            return self._fill(works)
        except Exception as error:
            if is_device_error(error):
                raise  # nothing can be computed any more, and no piece of work is to blame
            if len(works) == 1:
                return [OutOfMemory(str(error)) if is_out_of_memory(error) else error]
            return [self.predict([work])[0] for work in works]  # find out which of them is bad

    def _fill(self, works: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        pixels, vectors, seeds = zip(*(self._inputs(work) for work in works), strict=True)
        temperatures = [work.temperature for work in works for _ in range(work.images)]
        fills = _in_parts(
            self.engine.fill, torch.cat(pixels), torch.cat(vectors), list(chain(*seeds)),
            temperatures,
        )  # fmt: skip
        parts = torch.split(fills, [work.images for work in works])
        return [self._finish(work, part) for work, part in zip(works, parts, strict=True)]

    def _inputs(self, work: InferenceTask) -> tuple[Tensor, Tensor, list[int]]:
        """Every image of the work: its candidates, then those by the other caption."""
        captions = [work.caption] * work.count
        seeds = work.seeds
        if work.other is not None:
            captions, seeds = captions + [work.other] * work.count, seeds + seeds
        vectors = torch.cat([self._embed(caption) for caption in captions])
        return _window(work).expand(work.images, -1, -1, -1), vectors, seeds

    def _finish(self, work: InferenceTask, fills: Tensor) -> InferenceResult:
        """Put the candidates in order, the best first where the bundle can tell."""
        scores = self._scores(work, fills[: work.count])
        order = sorted(range(work.count), key=lambda i: -scores[i]) if scores else None
        chosen = list(range(work.count)) if order is None else order
        compared = [i + work.count for i in chosen] if work.other is not None else []
        captions = [work.caption] if work.other is None else [work.caption, work.other]
        return InferenceResult(
            fills=_to_bytes(fills[chosen]),
            others=_to_bytes(fills[compared]),
            seeds=[work.seeds[i] for i in chosen],
            scores=[round(scores[i], 6) for i in chosen] if scores else [],
            truncated=any(map(self._is_cut, captions)),
            unknown=any(map(self._is_unknown, captions)),
            model=self.name,
            bundle=self.digest,
            engine=self.engine.name,
        )

    def _scores(self, work: InferenceTask, fills: Tensor) -> list[float]:
        if self.engine.bundle.scorer is None:
            return []
        captions = self._embed(work.caption).expand(len(fills), -1)
        windows = _window(work).expand(len(fills), -1, -1, -1)
        composites = paste(windows, hole_mask(), fills)
        return [float(score) for score in _in_parts(self.engine.score, composites, captions)]


class Predictors:
    """Several bundles at once, by name; those of one encoder share it."""

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self._by_name = {one.name: one for one in predictors}
        self.default = predictors[0].name
        self.models = {one.name: one.digest for one in predictors}
        self.engines = {one.name: one.engine.name for one in predictors}

    @classmethod
    def load(
        cls, folders: Sequence[Path], device: str = "cpu", engine: str = "auto", threads: int = 1
    ) -> Self:
        """Load bundles, each as `Predictor.load` does; the first is the default.

        Raises:
            StartError: one cannot be used, or two share a name.
        """
        encoders: dict[str, CaptionEncoder] = {}
        loaded: list[Predictor] = []
        for folder in folders:
            with _starting(device):
                bundle = load_bundle(folder, device)
                name = bundle.config.encoder
                encoder = encoders.get(name) or CaptionEncoder.load(name, device)
                encoders[name] = encoder
                loaded.append(Predictor(load_engine(bundle, engine, threads), encoder))
            if loaded[-1].name in [one.name for one in loaded[:-1]]:
                raise StartError(f"two bundles are called {loaded[-1].name!r}")
        return cls(loaded)

    def predict(self, works: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Fill each piece of work by the bundle it names."""
        filled: dict[int, InferenceResult | Exception] = {}
        for name in dict.fromkeys(work.model or self.default for work in works):
            places = [i for i, work in enumerate(works) if (work.model or self.default) == name]
            predictor = self._by_name.get(name)
            some = [works[i] for i in places]
            missing = LookupError(f"no bundle called {name!r} is loaded")
            answers = predictor.predict(some) if predictor else [missing] * len(some)
            filled.update(zip(places, answers, strict=True))
        return [filled[i] for i in range(len(works))]


def _in_parts(compute: Callable[..., Tensor], *columns: Sequence[Any] | Tensor) -> Tensor:
    """Compute a batch; where it does not fit into the device's memory, halves of it.

    Args:
        compute: of a batch, one row of the answer a row of the columns.
        columns: of the same length, which can be sliced.
    """
    try:
        return compute(*columns)
    except Exception as error:
        if not is_out_of_memory(error) or len(columns[0]) == 1:
            raise
        log.warning("out of memory", extra={"images": len(columns[0]), "error": describe(error)})
    # Outside of the handler, whose traceback would keep the tensors of the attempt alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(columns[0]) // 2
    halves = ([one[:middle] for one in columns], [one[middle:] for one in columns])
    return torch.cat([_in_parts(compute, *half) for half in halves])


@contextmanager
def _starting(device: str) -> Iterator[None]:
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    except (ModelsError, RuntimeError, AssertionError) as error:
        raise StartError(str(error).splitlines()[0]) from error


def _window(work: InferenceTask) -> Tensor:
    window = np.frombuffer(work.window, np.uint8).reshape(SIZE, SIZE, 3).copy()
    return torch.from_numpy(window).permute(2, 0, 1)


def _to_bytes(fills: Tensor) -> bytes:
    return fills.permute(0, 2, 3, 1).contiguous().numpy().tobytes()
