"""`Inpainter`: the one way to fill, for the worker, the command line, evaluation and notebooks.

`fill` takes an image in any form and returns whole images; a call of the object takes one or a
list, as the pipelines of diffusers do. `fill_windows` takes a batch of windows
that are cut already, as the worker does. Both end in `fill_batch`, which takes caption vectors.

torch is imported only where it computes: not for a bundle with ONNX on a CPU.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import chain
from os import PathLike
from typing import Any, Self, cast, overload

import numpy as np
from numpy.typing import NDArray

from captionfill.caption_vectors import CaptionVector, CaptionVectors, SharedCache
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
from models.pixels import SIZE, paste_centre
from models.runtime.bundle_files import DEFAULT_BUNDLE
from models.runtime.engine import Engine
from models.runtime.engines import default_device, move_engine, open_engine

log = logging.getLogger("captionfill.inpainter")


class Inpainter:
    """A bundle on an engine, with the bundle's sentence encoder.

    On a CPU, one image, caption, seed, temperature and bundle give the same fill bit for bit,
    alone or in any batch. On a GPU a fill may differ by one 8-bit level between batches.

    Attributes:
        engine: computes fills and scores.
        name: of the bundle.
        digest: of the bundle, `sha256:…`.
    """

    def __init__(
        self,
        engine: Engine,
        encoder: CaptionEncoder | None = None,
        shared_captions: SharedCache | None = None,
    ) -> None:
        """Use a loaded engine; the bundle's encoder is loaded at the first caption where None.

        The vectors of captions are kept, and looked up in `shared_captions`.

        Raises:
            EncoderError: the encoder is not the one that the bundle was trained with.
        """
        self.engine = engine
        self.name, self.digest = engine.bundle.config.name, engine.bundle.digest
        self._lock = threading.Lock()
        self._shared_captions = shared_captions
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
        shared_captions: SharedCache | None = None,
    ) -> Self:
        """Load a bundle and the sentence encoder that it was trained with.

        Args:
            bundle: a folder, `hf://OWNER/NAME@REVISION` for one of the Hugging Face Hub, or
                `default` for the bundle that is shipped.
            device: torch device; `auto` for the GPU where there is one, else the CPU.
            engine: `torch`, `openvino`, `openvino-f32`, or `auto` for OpenVINO on a CPU where it
                can be used, else torch.
            threads: how many images OpenVINO computes at the same time. It changes no bit.
            shared_captions: where processes share the vectors of captions.

        Raises:
            StartError: the bundle or the encoder cannot be used, or there is no such device or
                engine.
        """
        folder = DEFAULT_BUNDLE if bundle == "default" else bundle_folder(bundle)
        try:
            device = default_device() if device == "auto" else device
            loaded = open_engine(folder, device, engine, threads)
            made = cls(loaded, _load_encoder(*_encoder_options(loaded)), shared_captions)
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
        try:
            self.engine = move_engine(self.engine, device, *self._engine_options)
        except (ModelsError, RuntimeError, AssertionError) as error:
            raise StartError(str(error).splitlines()[0]) from error
        for name in ("encoder", "_captions"):
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

        All windows of a candidate have the same noise. All captions that are new are embedded
        together; a vector does not depend on the others.

        Raises:
            Exception: whatever the engine raises, for the batch as a whole. See
                `captionfill.device_errors`.
        """
        with self._lock:
            vectors = self._captions.of(chain(*(one.captions for one in requests)))
            fills = self.fill_batch(
                np.concatenate([_windows(one, one.images) for one in requests]),
                np.stack([vectors[caption].vector for one in requests
                          for caption in one.captions
                          for _ in range(len(one.seeds) * one.parts)]),
                list(chain(*map(_seed_rows, requests))),
                [one.temperature for one in requests for _ in range(one.images)],
            )  # fmt: skip
            parts = np.split(fills, np.cumsum([one.images for one in requests])[:-1])
            return [
                self._rank(one, part, vectors) for one, part in zip(requests, parts, strict=True)
            ]

    def fill_batch(
        self,
        windows: Pixels,
        captions: NDArray[np.float32],
        seeds: Sequence[int],
        temperatures: Sequence[float] | None = None,
    ) -> Pixels:
        """Fill windows by caption vectors as `Engine.fill` does. One caller at a time.

        A batch that does not fit into the device's memory is halved.
        """
        scales = [1.0] * len(seeds) if temperatures is None else temperatures
        return self._in_parts(self.engine.fill, windows, captions, seeds, scales)

    def score_batch(self, composites: Pixels, captions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score filled windows by caption vectors as `Engine.score` does. One caller at a time."""
        return self._in_parts(self.engine.score, composites, captions)

    @cached_property
    def encoder(self) -> CaptionEncoder:
        """The bundle's sentence encoder."""
        encoder = _load_encoder(*_encoder_options(self.engine))
        self.engine.bundle.check_encoder(encoder)
        return encoder

    @cached_property
    def _captions(self) -> CaptionVectors:
        return CaptionVectors(self.encoder, self._shared_captions)

    def _rank(
        self, request: WindowRequest, fills: Pixels, vectors: Mapping[str, CaptionVector]
    ) -> WindowFills:
        """Sort the candidates by score, the best first, where the bundle has a scorer.

        ``fills`` are ordered by caption, seed and window.
        """
        count, parts = len(request.seeds), request.parts
        scores = self._scores(request, fills[: count * parts], vectors[request.caption])
        order = sorted(range(count), key=lambda i: -scores[i]) if scores else list(range(count))
        rows = [i * parts + part for i in order for part in range(parts)]
        others = [row + count * parts for row in rows] if request.compare is not None else []
        return WindowFills(
            fills=_channels_last(fills[rows]),
            compared=_channels_last(fills[others]),
            seeds=[request.seeds[i] for i in order],
            scores=[round(scores[i], 6) for i in order] if scores else [],
            truncated=any(vectors[caption].truncated for caption in request.captions),
            unknown=any(vectors[caption].unknown for caption in request.captions),
        )

    def _scores(self, request: WindowRequest, fills: Pixels, caption: CaptionVector) -> list[float]:
        """The score of each candidate: the mean over its windows."""
        is_wanted = request.scored or len(request.seeds) > 1
        if not (self.engine.has_scorer and is_wanted):
            return []
        captions = np.repeat(caption.vector[None], len(fills), 0)
        composites = paste_centre(_windows(request, len(fills)), fills)
        scores = self.score_batch(composites, captions).reshape(-1, request.parts)
        return [float(score) for score in scores.mean(1)]

    def _in_parts(
        self, compute: Callable[..., NDArray[Any]], *columns: Sequence[Any] | NDArray[Any]
    ) -> NDArray[Any]:
        """Compute rows of columns; where they do not fit into the memory, halves of them."""
        try:
            return compute(*columns)
        except Exception as error:
            if not is_out_of_memory(error) or len(columns[0]) == 1:
                raise
            reason = f"{type(error).__name__}: {error}"[:200]
            log.warning("out of memory", extra={"images": len(columns[0]), "error": reason})
        # Outside of the handler, whose traceback would keep the tensors of the attempt alive.
        self.engine.release_memory()
        middle = len(columns[0]) // 2
        halves = ([one[:middle] for one in columns], [one[middle:] for one in columns])
        return np.concatenate([self._in_parts(compute, *half) for half in halves])


def _seeds(first: int | None, count: int) -> list[int]:
    """The seeds of the candidates; one out of range alone, for `WindowRequest` to refuse."""
    first = secrets.randbelow(SEEDS) if first is None else first
    return consecutive_seeds(first, count) if 0 <= first < SEEDS else [first]


def _encoder_options(engine: Engine) -> tuple[str, str, bool, bool]:
    """Return the arguments of `_load_encoder` that go with an engine."""
    is_compiled, is_exact = engine.name != "torch", engine.name == "openvino-f32"
    return engine.bundle.config.encoder, engine.device, is_compiled, is_exact


@lru_cache
def _load_encoder(name: str, device: str, compiled: bool, exact: bool) -> CaptionEncoder:
    """Load an encoder; the bundles of a process share it."""
    return CaptionEncoder.load(name, device, compiled=compiled, exact=exact, single=True)


def _windows(request: WindowRequest, rows: int) -> Pixels:
    """The windows of a request, repeated up to a number of rows `(rows, 3, 64, 64)`."""
    windows = np.moveaxis(request.windows.reshape(-1, SIZE, SIZE, 3), 3, 1)
    return np.tile(windows, (rows // len(windows), 1, 1, 1))


def _seed_rows(request: WindowRequest) -> list[int]:
    """The seed of each image of a request."""
    seeds = [seed for seed in request.seeds for _ in range(request.parts)]
    return seeds * len(request.captions)


def _channels_last(fills: Pixels) -> Pixels:
    return np.ascontiguousarray(np.moveaxis(fills, 1, -1))
