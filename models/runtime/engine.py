"""What every engine does: fill and score by a bundle's networks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from models.errors import ModelsError, ScorerError
from models.pixels import Bytes, Floats, cut_centre, to_float, to_uint8
from models.runtime.bundle_files import BundleInfo
from models.runtime.sampling import generator_inputs


class EngineError(ModelsError):
    """An engine is not installed, or cannot compute a bundle."""


class Engine(ABC):
    """A bundle that is ready to fill. One caller at a time.

    On a CPU every image is computed alone by one thread, so that its fill is the same bit for bit
    in any batch; on another device a batch is one tensor, and a fill may differ by one 8-bit level.

    Attributes:
        name: `torch`, `openvino-bf16`, `openvino-f32` or `openvino-f16`; each gives other bits.
        bundle: its networks are computed.
        device: as torch names it, such as `cpu` or `cuda:0`.
        has_scorer: whether `score` can be called.
    """

    name: str
    bundle: BundleInfo
    device: str = "cpu"
    has_scorer: bool

    def fill(
        self,
        pixels: Bytes,
        captions: Floats,
        seeds: Sequence[int],
        temperatures: Sequence[float] | None = None,
    ) -> Bytes:
        """Fill the hole of each image.

        Args:
            pixels: uint8 `(N, 3, 64, 64)`; what lies in the hole is not read.
            captions: float `(N, caption_dim)`; zeros for no caption.
            seeds: one for each image.
            temperatures: standard deviation of each image's noise; 1 by default. At 0 the seed has
                no effect; a generator that was trained for it (`objective.settings.mean`) returns
                the mean of its fills.

        Returns:
            uint8 `(N, 3, 32, 32)`.
        """
        dim = self.bundle.config.noise_dim
        return to_uint8(
            self.generate(*generator_inputs(pixels, captions, seeds, dim, temperatures))
        )

    def score(self, pixels: Bytes, captions: Floats) -> Floats:
        """Score filled images against their captions, to rank several fills of one hole.

        Args:
            pixels: uint8 `(N, 3, 64, 64)`, composites; only the centre is read.
            captions: float `(N, caption_dim)`.

        Returns:
            float32 `(N,)`, -1 to 1; higher fits better. Comparable within one bundle.

        Raises:
            ScorerError: the bundle has no scorer.
        """
        if not self.has_scorer:
            raise ScorerError(f"bundle {self.bundle.config.name!r} carries no scorer")
        captions = np.asarray(captions, np.float32)
        return self._score(to_float(cut_centre(pixels)), captions).clip(-1, 1)

    def release_memory(self) -> None:  # noqa: B027 - most engines cache none
        """Give cached memory of the device back, after an error of memory."""

    @abstractmethod
    def generate(self, *inputs: Floats) -> Floats:
        """Compute the generator, `(N, 3, 32, 32)`, of `generator_inputs`."""

    @abstractmethod
    def _score(self, centres: Floats, captions: Floats) -> Floats:
        """Compute the scorer, `(N,)`, of centres -1 to 1 and captions."""
