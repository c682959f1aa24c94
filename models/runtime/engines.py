"""Engines: what computes a bundle's fills. torch goes anywhere; OpenVINO is fast on a CPU."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from models.errors import ModelsError
from models.frozen.scorers import ScorerError
from models.geometry import HOLE, SIZE, centre, to_float, to_uint8
from models.openvino_import import is_installed
from models.runtime.bundle import Bundle
from models.runtime.openvino_network import CompiledNetwork
from models.runtime.sampling import generator_inputs

Kind = Literal["auto", "torch", "openvino", "openvino-f32"]
KINDS: tuple[str, ...] = get_args(Kind)

# How far from torch, in 8-bit levels on average, an engine's first fills may be: in f32, where
# only the order of sums differs, and in a shorter format.
MAX_ERROR = {"f32": 0.01}
MAX_ERROR_SHORT = 2.0

log = logging.getLogger("captionfill.engine")


class EngineError(ModelsError):
    """An engine is not there, or cannot compute a bundle."""


class Engine(ABC):
    """A bundle made ready to fill. One caller at a time.

    On a CPU every picture is computed alone by one thread, so that its answer is the same bit for
    bit in any batch; on another device a batch is one tensor, and an answer may differ by one
    8-bit level.

    Attributes:
        name: `torch`, `openvino-bf16`, `openvino-f32` or `openvino-f16`. One bundle gives other
            bits by each.
        bundle: what is computed.
    """

    name: str

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.device = next(bundle.generator.parameters()).device

    def fill(
        self,
        pixels: Tensor,
        captions: Tensor,
        seeds: Sequence[int],
        temperatures: Sequence[float] | None = None,
    ) -> Tensor:
        """Fill the hole of each picture.

        Args:
            pixels: uint8 `(N, 3, 64, 64)`; what lies in the hole is not read.
            captions: float `(N, caption_dim)`; zeros for no caption.
            seeds: one a picture.
            temperatures: one a picture, how much of its noise it gets; 1 by default. At 0 the seed
                says nothing: the fill is the generator's one answer, of a generator that was
                trained for it (`objective.settings.mean`) the mean of what it would draw.

        Returns:
            uint8 `(N, 3, 32, 32)` on the CPU.
        """
        inputs = generator_inputs(
            pixels,
            captions,
            seeds,
            self.bundle.config.noise_dim,
            device=self.device,
            temperatures=temperatures,
        )
        return to_uint8(self.generate(*inputs)).cpu()

    def score(self, pixels: Tensor, captions: Tensor) -> Tensor:
        """Score filled pictures against their captions, to rank several fills of one hole.

        Args:
            pixels: uint8 `(N, 3, 64, 64)`, composites; the centre alone is read.
            captions: float `(N, caption_dim)`.

        Returns:
            float32 `(N,)` on the CPU, -1 to 1; higher fits better. Comparable within one bundle.

        Raises:
            ScorerError: the bundle carries no scorer.
        """
        if self.bundle.scorer is None:
            raise ScorerError(f"bundle {self.bundle.config.name!r} carries no scorer")
        centres = to_float(centre(pixels).to(self.device))
        return self.compare(centres, captions.to(self.device)).float().cpu().clamp(-1, 1)

    @abstractmethod
    def generate(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Do as the bundle's generator does, `(N, 3, 32, 32)`, on the bundle's device."""

    @abstractmethod
    def compare(self, centres: Tensor, caption: Tensor) -> Tensor:
        """Do as the bundle's scorer does, `(N,)`, on the bundle's device."""


class TorchEngine(Engine):
    """The networks as torch runs them, operation by operation, in float32."""

    name = "torch"

    @torch.inference_mode()
    def generate(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Do as the bundle's generator does."""
        return self._run(self.bundle.generator, context, mask, caption, noise)

    @torch.inference_mode()
    def compare(self, centres: Tensor, caption: Tensor) -> Tensor:
        """Do as the bundle's scorer does."""
        return self._run(self.bundle.scorer, centres, caption)

    def _run(self, network: nn.Module | None, *batch: Tensor) -> Tensor:
        assert network is not None
        step = 1 if self.device.type == "cpu" else len(batch[0])
        parts = zip(*(torch.split(tensor, step) for tensor in batch), strict=True)
        return torch.cat([network(*part) for part in parts])


class OpenVinoEngine(Engine):
    """The networks compiled for this CPU.

    The generator is computed in the CPU's short format where it has one in hardware (bfloat16 with
    AVX512-BF16 or AMX), unless it is to be exact; the scorer, whose numbers are told, never is.
    """

    def __init__(self, bundle: Bundle, *, exact: bool = False, threads: int = 1) -> None:
        """Convert and compile, and compare with torch.

        Raises:
            EngineError: a network cannot be converted, or its fills are not torch's.
        """
        super().__init__(bundle)
        if self.device.type != "cpu":
            raise EngineError(f"OpenVINO fills on a CPU here, not on {self.device}")
        dim = bundle.config.caption_dim
        picture, caption = torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, dim)
        noise = torch.zeros(1, bundle.config.noise_dim)
        examples = (picture, picture[:, :1], caption, noise)
        self._generator = _compile(bundle.generator, examples, exact, threads)
        self.name = f"openvino-{self._generator.precision}"
        self._scorer = None
        if bundle.scorer is not None:
            centres = picture[:, :, :HOLE, :HOLE].contiguous()
            self._scorer = _compile(bundle.scorer, (centres, caption), True, threads)
        self._check()

    def generate(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Do as the bundle's generator does."""
        return self._generator(context, mask, caption, noise)

    def compare(self, centres: Tensor, caption: Tensor) -> Tensor:
        """Do as the bundle's scorer does."""
        assert self._scorer is not None
        return self._scorer(centres, caption)

    def _check(self) -> None:
        """Refuse what this CPU computes wrongly."""
        random = torch.Generator().manual_seed(0)
        config = self.bundle.config
        pixels = torch.randint(0, 256, (2, 3, SIZE, SIZE), generator=random).byte()
        captions = torch.randn(2, config.caption_dim, generator=random)
        captions = nn.functional.normalize(captions)
        inputs = generator_inputs(pixels, captions, [0, 1], config.noise_dim)
        right = TorchEngine(self.bundle).generate(*inputs)
        off = float((self.generate(*inputs) - right).abs().mean()) * 127.5
        most = MAX_ERROR.get(self._generator.precision, MAX_ERROR_SHORT)
        if not off <= most:  # nor NaN
            raise EngineError(f"{self.name} is {off:.3g} levels from torch, over {most:g}")


def load_engine(bundle: Bundle, kind: str = "auto", threads: int = 1) -> Engine:
    """Make a bundle ready to fill.

    Args:
        bundle: on its device.
        kind: `torch`; `openvino`, in the CPU's own best format; `openvino-f32`, closest to torch;
            `auto` for `openvino` where the bundle is on a CPU, OpenVINO is installed and the
            network can be converted, else `torch`.
        threads: how many pictures OpenVINO computes at one time, a thread each. It changes no bit.

    Raises:
        EngineError: the engine was asked for by name and cannot be had.
    """
    if kind not in KINDS:
        raise EngineError(f"no engine is called {kind!r}; there are: {', '.join(KINDS)}")
    if kind == "torch" or (kind == "auto" and not _suits(bundle)):
        return TorchEngine(bundle)
    if not is_installed():
        raise EngineError(f"engine {kind!r} needs the package openvino")
    try:
        return OpenVinoEngine(bundle, exact=kind == "openvino-f32", threads=threads)
    except EngineError as error:
        if kind != "auto":
            raise
        reason = {"bundle": bundle.config.name, "reason": str(error)}
        log.warning("OpenVINO cannot fill by this bundle, torch will, slower", extra=reason)
        return TorchEngine(bundle)


def _suits(bundle: Bundle) -> bool:
    return is_installed() and next(bundle.generator.parameters()).device.type == "cpu"


def _compile(
    network: nn.Module, examples: Sequence[Tensor], exact: bool, threads: int
) -> CompiledNetwork:
    try:
        return CompiledNetwork(network, examples, exact=exact, threads=threads)
    except Exception as error:  # whatever is raised below: many kinds, many lines
        first = str(error).strip().partition("\n")[0]
        name = type(network).__name__
        raise EngineError(f"OpenVINO cannot compute {name}: {first}") from error
