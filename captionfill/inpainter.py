"""`Inpainter`: the one way to fill, for the worker, the command line, evaluation and notebooks.

`fill` takes an image in any form and returns whole images; a call of the object takes one or a
list, as the pipelines of diffusers do. `fill_windows` takes a batch of windows
that are cut already, as the worker does. Both end in `fill_batch`, which takes tensors.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import chain
from os import PathLike
from typing import Any, Self, cast, overload

import torch
from torch import Tensor

from captionfill.captions import check_caption
from captionfill.device_errors import is_out_of_memory
from captionfill.errors import StartError
from captionfill.hub import bundle_folder
from captionfill.imaging.canvas import Canvas, Detail
from captionfill.imaging.codec import ImageSource, Picture, Pixels
from captionfill.imaging.region import RegionSpec
from captionfill.result import Candidate, FillResult
from captionfill.windows import SEEDS, WindowFills, WindowRequest, consecutive_seeds
from models.captions import CaptionEncoder
from models.errors import ModelsError
from models.geometry import SIZE, hole_mask, paste
from models.runtime.bundle import DEFAULT_BUNDLE, load_bundle
from models.runtime.engines import Engine, load_engine

log = logging.getLogger("captionfill.inpainter")

_CACHED_CAPTIONS = 4096


class Inpainter:
    """A bundle on an engine, with the bundle's sentence encoder.

    On a CPU, one image, caption, seed, temperature and bundle give the same fill bit for bit,
    alone or in any batch. On a GPU a fill may differ by one 8-bit level between batches.

    Attributes:
        engine: computes fills and scores.
        name: of the bundle.
        digest: of the bundle, `sha256:…`.
    """

    def __init__(self, engine: Engine, encoder: CaptionEncoder | None = None) -> None:
        """Use a loaded engine; the bundle's encoder is loaded at the first caption where None.

        Raises:
            EncoderError: the encoder is not the one that the bundle was trained with.
        """
        self.engine = engine
        self.name, self.digest = engine.bundle.config.name, engine.bundle.digest
        self._lock = threading.Lock()
        self._engine_options = ("auto", 1)
        if encoder is not None:
            engine.bundle.check_encoder(encoder)
            self.encoder = encoder

    @classmethod
    def load(
        cls,
        bundle: str | PathLike[str] = "default",
        device: str = "auto",
        engine: str = "auto",
        *,
        threads: int = 1,
    ) -> Self:
        """Load a bundle and the sentence encoder that it was trained with.

        Args:
            bundle: a folder, `hf://OWNER/NAME@REVISION` for one of the Hugging Face Hub, or
                `default` for the bundle that is shipped.
            device: torch device; `auto` for the GPU where there is one, else the CPU.
            engine: `torch`, `openvino`, `openvino-f32`, or `auto` for OpenVINO on a CPU where it
                can be used, else torch.
            threads: how many images OpenVINO computes at the same time. It changes no bit.

        Raises:
            StartError: the bundle or the encoder cannot be used, or there is no such device or
                engine.
        """
        folder = DEFAULT_BUNDLE if bundle == "default" else bundle_folder(bundle)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            with _one_thread(device):
                loaded = load_bundle(folder, device)
                encoder = _load_encoder(loaded.config.encoder, device, engine != "torch")
                made = cls(load_engine(loaded, engine, threads), encoder)
        except (ModelsError, RuntimeError, AssertionError) as error:
            raise StartError(str(error).splitlines()[0]) from error
        made._engine_options = (engine, threads)
        return made

    from_pretrained = load

    def to(self, device: str) -> Self:
        """Move the networks to a torch device and return this object; `load`'s engine stays.

        Raises:
            StartError: there is no such device, or the engine cannot be used on it.
        """
        bundle = self.engine.bundle
        try:
            for network in filter(None, (bundle.generator, bundle.scorer)):
                network.to(device)
            with _one_thread(device):
                self.engine = load_engine(bundle, *self._engine_options)
        except (ModelsError, RuntimeError, AssertionError) as error:
            raise StartError(str(error).splitlines()[0]) from error
        for name in ("encoder", "_embed", "_is_truncated", "_is_unknown"):
            vars(self).pop(name, None)  # they are of the old device
        return self

    def fill(
        self,
        image: ImageSource | Canvas,
        caption: str,
        *,
        region: RegionSpec = None,
        mask: ImageSource | None = None,
        seed: int | None = None,
        n: int = 1,
        temperature: float = 1.0,
        compare: str | None = None,
        detail: Detail | None = None,
    ) -> FillResult:
        """Fill a region of an image. No pixel outside the region changes.

        Args:
            image: path, encoded PNG, JPEG or WebP, a Pillow image, or uint8 `(H, W, 3)`; at least
                64×64 pixels, and at most 40 million. Open a `Canvas` for another limit; it brings
                its own region.
            caption: what the whole image shows, at most 1,000 characters.
            region: left, top, width and height in pixels; the central half by default.
            mask: in the place of a region, an image of the same size, or an array `(H, W)` of bool
                or uint8. Its white pixels are filled; where it has transparency, the fully
                transparent ones (alpha 0) are. Several and long holes are filled by up to 16
                windows.
            seed: of the first candidate, 0 to 2**32 - 1; random where None. The others count up.
            n: number of candidates.
            temperature: scale of the noise, 0 to 1; at 0 all candidates are equal.
            compare: a second caption, to fill by with the same seeds.
            detail: `surroundings` fits a scaled fill to the colours around it and copies their
                fine detail, `none` interpolates it; where None, the canvas's, or `surroundings`.

        Raises:
            CaptionfillError: the image, region, mask or caption cannot be used (a subclass says
                which), or a number is out of its range.
            OSError: the file cannot be read.
        """
        canvas = image if isinstance(image, Canvas) else Canvas.open(image, region, mask=mask)
        canvas = replace(canvas, detail=detail or canvas.detail)
        other = None if compare is None else check_caption(compare)
        request = WindowRequest(
            canvas.windows, check_caption(caption), _seeds(seed, n), other, temperature
        )
        [made] = self.fill_windows([request])
        return self._result(canvas, made)

    @overload
    def __call__(self, image: ImageSource | Canvas, caption: str, **options: Any) -> FillResult: ...

    @overload
    def __call__(
        self, image: Sequence[ImageSource | Canvas], caption: str | Sequence[str], **options: Any
    ) -> list[FillResult]: ...

    def __call__(
        self,
        image: ImageSource | Canvas | Sequence[ImageSource | Canvas],
        caption: str | Sequence[str],
        **options: Any,
    ) -> FillResult | list[FillResult]:
        """Fill one image, or a list of images one after the other.

        Args:
            image: as for `fill`, or a list of such.
            caption: one for all images, or a list of the same length.
            options: of `fill`. A seed holds for every image.

        Raises:
            CaptionfillError, OSError: see `fill`.
            ValueError: two lists of different lengths.
            TypeError: a list of captions for one image.
        """
        if isinstance(image, list | tuple):
            captions = [caption] * len(image) if isinstance(caption, str) else list(caption)
            return [self.fill(*one, **options) for one in zip(image, captions, strict=True)]
        if not isinstance(caption, str):
            raise TypeError("one image takes one caption")
        return self.fill(cast("ImageSource | Canvas", image), caption, **options)

    def _result(self, canvas: Canvas, made: WindowFills) -> FillResult:
        scores: Sequence[float | None] = made.scores or [None] * len(made.seeds)
        composites = canvas.composites(made.fills)
        others: Sequence[Picture | None] = canvas.composites(made.compared)
        others = others or [None] * len(made.seeds)
        return FillResult(
            candidates=[
                Candidate(*one) for one in zip(composites, made.seeds, scores, others, strict=True)
            ],
            region=canvas.region,
            truncated=made.truncated,
            unknown=made.unknown,
            notes=canvas.picture.notes,
            model=self.name,
            digest=self.digest,
            engine=self.engine.name,
        )

    def fill_windows(self, requests: Sequence[WindowRequest]) -> list[WindowFills]:
        """Fill a batch of windows, in the order of the requests.

        All windows of a candidate have the same noise.

        Captions are embedded one at a time, so that their vectors do not depend on the batch.

        Raises:
            Exception: whatever the engine raises, for the batch as a whole. See
                `captionfill.device_errors`.
        """
        with self._lock, _one_thread(self.engine.device):
            fills = self.fill_batch(
                torch.cat([_to_tensors(one, one.images) for one in requests]),
                torch.cat([self._vectors(one) for one in requests]),
                list(chain(*map(_seed_rows, requests))),
                [one.temperature for one in requests for _ in range(one.images)],
            )  # fmt: skip
            parts = torch.split(fills, [one.images for one in requests])
            return [self._rank(one, part) for one, part in zip(requests, parts, strict=True)]

    def fill_batch(
        self,
        windows: Tensor,
        captions: Tensor,
        seeds: Sequence[int],
        temperatures: Sequence[float] | None = None,
    ) -> Tensor:
        """Fill windows by caption vectors as `Engine.fill` does. One caller at a time.

        A batch that does not fit into the device's memory is halved.
        """
        scales = [1.0] * len(seeds) if temperatures is None else temperatures
        return _in_parts(self.engine.fill, windows, captions, seeds, scales)

    def score_batch(self, composites: Tensor, captions: Tensor) -> Tensor:
        """Score filled windows by caption vectors as `Engine.score` does. One caller at a time."""
        return _in_parts(self.engine.score, composites, captions)

    @cached_property
    def encoder(self) -> CaptionEncoder:
        """The bundle's sentence encoder."""
        compiled = self.engine.name != "torch"
        name = self.engine.bundle.config.encoder
        encoder = _load_encoder(name, str(self.engine.device), compiled)
        self.engine.bundle.check_encoder(encoder)
        return encoder

    @cached_property
    def _embed(self) -> Callable[[str], Tensor]:
        """Caption to vector `(1, caption_dim)`, cached."""
        return lru_cache(_CACHED_CAPTIONS)(lambda caption: self.encoder.encode([caption]))

    @cached_property
    def _is_truncated(self) -> Callable[[str], bool]:
        return lru_cache(_CACHED_CAPTIONS)(self.encoder.is_truncated)

    @cached_property
    def _is_unknown(self) -> Callable[[str], bool]:
        return lru_cache(_CACHED_CAPTIONS)(self.encoder.is_unknown)

    def _vectors(self, request: WindowRequest) -> Tensor:
        """A vector for each image of the request `(images, caption_dim)`."""
        count = len(request.seeds) * request.parts
        return torch.cat([self._embed(one).expand(count, -1) for one in request.captions])

    def _rank(self, request: WindowRequest, fills: Tensor) -> WindowFills:
        """Sort the candidates by score, the best first, where the bundle has a scorer.

        ``fills`` are ordered by caption, seed and window.
        """
        count, parts = len(request.seeds), request.parts
        scores = self._scores(request, fills[: count * parts])
        order = sorted(range(count), key=lambda i: -scores[i]) if scores else list(range(count))
        rows = [i * parts + part for i in order for part in range(parts)]
        others = [row + count * parts for row in rows] if request.compare is not None else []
        return WindowFills(
            fills=_to_array(fills[rows]),
            compared=_to_array(fills[others]),
            seeds=[request.seeds[i] for i in order],
            scores=[round(scores[i], 6) for i in order] if scores else [],
            truncated=any(map(self._is_truncated, request.captions)),
            unknown=any(map(self._is_unknown, request.captions)),
        )

    def _scores(self, request: WindowRequest, fills: Tensor) -> list[float]:
        """The score of each candidate: the mean over its windows."""
        if self.engine.bundle.scorer is None:
            return []
        captions = self._embed(request.caption).expand(len(fills), -1)
        composites = paste(_to_tensors(request, len(fills)), hole_mask(), fills)
        scores = self.score_batch(composites, captions).reshape(-1, request.parts)
        return [float(score) for score in scores.mean(1)]


def _seeds(first: int | None, count: int) -> list[int]:
    """The seeds of the candidates; one out of range alone, for `WindowRequest` to refuse."""
    first = secrets.randbelow(SEEDS) if first is None else first
    return consecutive_seeds(first, count) if 0 <= first < SEEDS else [first]


@lru_cache
def _load_encoder(name: str, device: str, compiled: bool) -> CaptionEncoder:
    """Load an encoder; the bundles of a process share it."""
    return CaptionEncoder.load(name, device, compiled=compiled)


@contextmanager
def _one_thread(device: str | torch.device) -> Iterator[None]:
    """Let torch use one thread on a CPU: sums in another order would change bits."""
    threads = torch.get_num_threads()
    if str(device) == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_parts(compute: Callable[..., Tensor], *columns: Sequence[Any] | Tensor) -> Tensor:
    """Compute rows of columns; where they do not fit into the device's memory, halves of them."""
    try:
        return compute(*columns)
    except Exception as error:
        if not is_out_of_memory(error) or len(columns[0]) == 1:
            raise
        reason = f"{type(error).__name__}: {error}"[:200]
        log.warning("out of memory", extra={"images": len(columns[0]), "error": reason})
    # Outside of the handler, whose traceback would keep the tensors of the attempt alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(columns[0]) // 2
    halves = ([one[:middle] for one in columns], [one[middle:] for one in columns])
    return torch.cat([_in_parts(compute, *half) for half in halves])


def _to_tensors(request: WindowRequest, rows: int) -> Tensor:
    """The windows of a request, repeated up to a number of rows `(rows, 3, 64, 64)`."""
    windows = torch.from_numpy(request.windows.copy()).reshape(-1, SIZE, SIZE, 3)
    return windows.permute(0, 3, 1, 2).repeat(rows // len(windows), 1, 1, 1)


def _seed_rows(request: WindowRequest) -> list[int]:
    """The seed of each image of a request."""
    seeds = [seed for seed in request.seeds for _ in range(request.parts)]
    return seeds * len(request.captions)


def _to_array(fills: Tensor) -> Pixels:
    return fills.permute(0, 2, 3, 1).contiguous().numpy()
