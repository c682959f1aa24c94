"""Work -> fills: the one module of the service that knows the networks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from models.bundle import Bundle, load_bundle
from models.captions import CaptionEncoder
from models.errors import ModelsError
from models.geometry import SIZE, hole_mask, paste
from models.sampling import fill_centres
from models.scorers import score_fills
from service.errors import StartError
from service.work import Fill, Work

_CAPTIONS_KEPT = 4096


class Predictor:
    """A bundle and its sentence encoder, ready to fill.

    Captions are embedded one at a time, and on a CPU every image runs alone, whatever batch it
    came in: its answer is then the same bit for bit, and a small generator loses no speed by it.
    On other devices a batch is one tensor, and answers may differ by one 8-bit level.
    """

    def __init__(self, bundle: Bundle, encoder: CaptionEncoder) -> None:
        bundle.check_encoder(encoder)
        self.bundle = bundle
        self.encoder = encoder
        self.name, self.digest = bundle.config.name, bundle.digest
        self._one_by_one = next(bundle.generator.parameters()).device.type == "cpu"
        self._embed = lru_cache(_CAPTIONS_KEPT)(lambda caption: encoder.encode([caption]))
        self._is_cut = lru_cache(_CAPTIONS_KEPT)(encoder.is_truncated)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Load a bundle and the encoder it was trained with.

        Raises:
            StartError: the bundle or the encoder cannot be used, or the device is not there.
        """
        with _starting(device):
            bundle = load_bundle(folder, device)
            return cls(bundle, CaptionEncoder.load(bundle.config.encoder, device))

    def predict(self, works: Sequence[Work]) -> list[Fill | Exception]:
        """Fill every candidate of every piece of work; a bad piece fails alone.

        Returns:
            For each piece its fills, uint8 `(count, 32, 32, 3)` as bytes, or its exception.
        """
        if self._one_by_one or len(works) == 1:
            return [self._alone(work) for work in works]
        try:
            fills = self._fill([_inputs(work) for work in works])
            parts = torch.split(fills, [work.images for work in works])
            return [self._finish(work, part) for work, part in zip(works, parts, strict=True)]
        except Exception:  # one of them is bad: find out which
            return [self._alone(work) for work in works]

    def _alone(self, work: Work) -> Fill | Exception:
        try:
            pixels, captions, seeds = _inputs(work)
            step = 1 if self._one_by_one else work.images
            parts = [slice(i, i + step) for i in range(0, work.images, step)]
            fills = [self._fill([(pixels[p], captions[p], seeds[p])]) for p in parts]
            return self._finish(work, torch.cat(fills))
        except Exception as error:
            return error

    def _fill(self, inputs: Sequence[tuple[Tensor, list[str], list[int]]]) -> Tensor:
        pixels, captions, seeds = zip(*inputs, strict=True)
        vectors = torch.cat([self._embed(caption) for caption in chain.from_iterable(captions)])
        return fill_centres(
            self.bundle, torch.cat(pixels), vectors, list(chain.from_iterable(seeds))
        )

    def _finish(self, work: Work, fills: Tensor) -> Fill:
        """Put the candidates in order, the best first where the bundle can tell."""
        scores = self._scores(work, fills[: work.count])
        order = sorted(range(work.count), key=lambda i: -scores[i]) if scores else None
        chosen = list(range(work.count)) if order is None else order
        compared = [i + work.count for i in chosen] if work.other is not None else []
        cut = self._is_cut(work.caption) or (work.other is not None and self._is_cut(work.other))
        return Fill(
            fills=_to_bytes(fills[chosen]),
            others=_to_bytes(fills[compared]),
            seeds=[work.seeds[i] for i in chosen],
            scores=[round(scores[i], 6) for i in chosen] if scores else [],
            truncated=cut,
            model=self.name,
            bundle=self.digest,
        )

    def _scores(self, work: Work, fills: Tensor) -> list[float]:
        if self.bundle.scorer is None:
            return []
        captions = self._embed(work.caption)
        windows = _window(work).expand(len(fills), -1, -1, -1)
        composites = paste(windows, hole_mask(), fills)
        rows = [score_fills(self.bundle, row.unsqueeze(0), captions) for row in composites]
        return [float(score) for score in torch.cat(rows)]


class Predictors:
    """Several bundles at once, by name; those of one encoder share it."""

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self._by_name = {one.name: one for one in predictors}
        self.default = predictors[0].name
        self.models = {one.name: one.digest for one in predictors}

    @classmethod
    def load(cls, folders: Sequence[Path], device: str = "cpu") -> Self:
        """Load bundles; the first is the default.

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
                loaded.append(Predictor(bundle, encoder))
            if loaded[-1].name in [one.name for one in loaded[:-1]]:
                raise StartError(f"two bundles are called {loaded[-1].name!r}")
        return cls(loaded)

    def predict(self, works: Sequence[Work]) -> list[Fill | Exception]:
        """Fill each piece of work by the bundle it names."""
        filled: dict[int, Fill | Exception] = {}
        for name in dict.fromkeys(work.model or self.default for work in works):
            places = [i for i, work in enumerate(works) if (work.model or self.default) == name]
            predictor = self._by_name.get(name)
            some = [works[i] for i in places]
            missing = LookupError(f"no bundle called {name!r} is loaded")
            answers = predictor.predict(some) if predictor else [missing] * len(some)
            filled.update(zip(places, answers, strict=True))
        return [filled[i] for i in range(len(works))]


@contextmanager
def _starting(device: str) -> Iterator[None]:
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    except (ModelsError, RuntimeError, AssertionError) as error:
        raise StartError(str(error).splitlines()[0]) from error


def _window(work: Work) -> Tensor:
    window = np.frombuffer(work.window, np.uint8).reshape(SIZE, SIZE, 3).copy()
    return torch.from_numpy(window).permute(2, 0, 1)


def _inputs(work: Work) -> tuple[Tensor, list[str], list[int]]:
    """Every image of the work: its candidates, then those by the other caption, seed by seed."""
    captions = [work.caption] * work.count
    seeds = work.seeds
    if work.other is not None:
        captions, seeds = captions + [work.other] * work.count, seeds + seeds
    return _window(work).expand(work.images, -1, -1, -1), captions, seeds


def _to_bytes(fills: Tensor) -> bytes:
    return fills.permute(0, 2, 3, 1).contiguous().numpy().tobytes()
