"""Jobs -> fills: the one module of the service that knows the networks."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from models.bundle import Bundle, load_bundle
from models.captions import CaptionEncoder
from models.errors import ModelsError
from models.geometry import SIZE
from models.sampling import fill_centres
from service.errors import StartError
from service.jobs import Job

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
        self.digest = bundle.digest
        self._one_by_one = next(bundle.generator.parameters()).device.type == "cpu"
        self._embed = lru_cache(_CAPTIONS_KEPT)(lambda caption: encoder.encode([caption]))

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Load a bundle and the encoder it was trained with.

        Raises:
            StartError: the bundle or the encoder cannot be used, or the device is not there.
        """
        if device == "cpu":
            torch.set_num_threads(1)
        try:
            bundle = load_bundle(folder, device)
            return cls(bundle, CaptionEncoder.load(bundle.config.encoder, device))
        except (ModelsError, RuntimeError, AssertionError) as error:
            raise StartError(str(error).splitlines()[0]) from error

    def predict(self, jobs: Sequence[Job]) -> list[bytes | Exception]:
        """Fill every candidate of every job; a bad job fails alone.

        Returns:
            For each job ``count`` fills, uint8 `(count, 32, 32, 3)` as bytes, or its exception.
        """
        if self._one_by_one or len(jobs) == 1:
            return [self._alone(job) for job in jobs]
        try:
            fills = self._fill([self._inputs(job) for job in jobs])
            return [_to_bytes(part) for part in torch.split(fills, [job.count for job in jobs])]
        except Exception:  # one of them is bad: find out which
            return [self._alone(job) for job in jobs]

    def _alone(self, job: Job) -> bytes | Exception:
        try:
            pixels, caption, seeds = self._inputs(job)
            step = 1 if self._one_by_one else job.count
            parts = [slice(i, i + step) for i in range(0, job.count, step)]
            fills = [self._fill([(pixels[p], caption[p], seeds[p])]) for p in parts]
            return _to_bytes(torch.cat(fills))
        except Exception as error:
            return error

    def _inputs(self, job: Job) -> tuple[Tensor, Tensor, list[int]]:
        window = np.frombuffer(job.window, np.uint8).reshape(SIZE, SIZE, 3).copy()
        pixels = torch.from_numpy(window).permute(2, 0, 1).expand(job.count, -1, -1, -1)
        return pixels, self._embed(job.caption).expand(job.count, -1), job.seeds

    def _fill(self, inputs: Sequence[tuple[Tensor, Tensor, list[int]]]) -> Tensor:
        pixels, captions, seeds = zip(*inputs, strict=True)
        joined = [seed for some in seeds for seed in some]
        return fill_centres(self.bundle, torch.cat(pixels), torch.cat(captions), joined)


def _to_bytes(fills: Tensor) -> bytes:
    return fills.permute(0, 2, 3, 1).contiguous().numpy().tobytes()
