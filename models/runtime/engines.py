"""Engines, which compute a bundle's fills: torch on any device, OpenVINO on a CPU."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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
Network = Callable[..., Tensor]

# Largest mean difference from torch in 8-bit levels: in f32, where only the order of sums differs,
# and in a shorter format.
MAX_ERROR = {"f32": 0.01}
MAX_ERROR_SHORT = 2.0

log = logging.getLogger("captionfill.engine")


class EngineError(ModelsError):
    """An engine is not installed, or cannot compute a bundle."""


class Engine(ABC):
    """A bundle that is ready to fill. One caller at a time.

    On a CPU every image is computed alone by one thread, so that its fill is the same bit for bit
    in any batch; on another device a batch is one tensor, and a fill may differ by one 8-bit level.

    Attributes:
        name: `torch`, `openvino-bf16`, `openvino-f32` or `openvino-f16`; each gives other bits.
        bundle: its networks are computed.
    """

    name: str
    bundle: Bundle
    generator: Network
    scorer: Network | None

    @property
    def device(self) -> torch.device:
        """The device of the bundle."""
        return next(self.bundle.generator.parameters()).device

    def fill(
        self,
        pixels: Tensor,
        captions: Tensor,
        seeds: Sequence[int],
        temperatures: Sequence[float] | None = None,
    ) -> Tensor:
        """Fill the hole of each image.

        Args:
            pixels: uint8 `(N, 3, 64, 64)`; what lies in the hole is not read.
            captions: float `(N, caption_dim)`; zeros for no caption.
            seeds: one for each image.
            temperatures: standard deviation of each image's noise; 1 by default. At 0 the seed has
                no effect; a generator that was trained for it (`objective.settings.mean`) returns
                the mean of its fills.

        Returns:
            uint8 `(N, 3, 32, 32)` on the CPU.
        """
        dim = self.bundle.config.noise_dim
        inputs = generator_inputs(
            pixels, captions, seeds, dim, device=self.device, temperatures=temperatures
        )
        return to_uint8(self.generate(*inputs)).cpu()

    def generate(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Compute the bundle's generator, `(N, 3, 32, 32)`, on its device."""
        return self._run(self.generator, context, mask, caption, noise)

    def score(self, pixels: Tensor, captions: Tensor) -> Tensor:
        """Score filled images against their captions, to rank several fills of one hole.

        Args:
            pixels: uint8 `(N, 3, 64, 64)`, composites; only the centre is read.
            captions: float `(N, caption_dim)`.

        Returns:
            float32 `(N,)` on the CPU, -1 to 1; higher fits better. Comparable within one bundle.

        Raises:
            ScorerError: the bundle has no scorer.
        """
        if self.scorer is None:
            raise ScorerError(f"bundle {self.bundle.config.name!r} carries no scorer")
        centres = to_float(centre(pixels).to(self.device))
        scores = self._run(self.scorer, centres, captions.to(self.device))
        return scores.float().cpu().clamp(-1, 1)

    @abstractmethod
    def _run(self, network: Network, *batch: Tensor) -> Tensor:
        """Compute a network of this engine for a batch."""


class TorchEngine(Engine):
    """The networks as torch runs them, operation by operation, in float32."""

    name = "torch"

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.generator, self.scorer = bundle.generator, bundle.scorer

    @torch.inference_mode()
    def _run(self, network: Network, *batch: Tensor) -> Tensor:
        step = 1 if self.device.type == "cpu" else len(batch[0])
        parts = zip(*(torch.split(tensor, step) for tensor in batch), strict=True)
        return torch.cat([network(*part) for part in parts])


class OpenVinoEngine(Engine):
    """The networks compiled for this CPU.

    The generator is computed in the CPU's short format if it has one in hardware (bfloat16 with
    AVX512-BF16 or AMX), unless it is to be exact. The scorer, whose numbers are returned, is
    always exact.
    """

    def __init__(self, bundle: Bundle, *, exact: bool = False, threads: int = 1) -> None:
        """Convert and compile, and compare with torch.

        Raises:
            EngineError: a network cannot be converted, or its fills differ from torch's.
        """
        self.bundle = bundle
        if self.device.type != "cpu":
            raise EngineError(f"OpenVINO fills on a CPU here, not on {self.device}")
        picture, caption = torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, bundle.config.caption_dim)
        noise = torch.zeros(1, bundle.config.noise_dim)
        examples = (picture, picture[:, :1], caption, noise)
        self.generator = generator = _compile(bundle.generator, examples, exact, threads)
        self.name = f"openvino-{generator.precision}"
        self.scorer = None
        if bundle.scorer is not None:
            centres = picture[:, :, :HOLE, :HOLE].contiguous()
            self.scorer = _compile(bundle.scorer, (centres, caption), True, threads)
        self._check(MAX_ERROR.get(generator.precision, MAX_ERROR_SHORT))

    def _run(self, network: Network, *batch: Tensor) -> Tensor:
        return network(*batch)

    def _check(self, max_error: float) -> None:
        """Refuse an engine that computes wrongly on this CPU."""
        random = torch.Generator().manual_seed(0)
        config = self.bundle.config
        pixels = torch.randint(0, 256, (2, 3, SIZE, SIZE), generator=random).byte()
        captions = torch.randn(2, config.caption_dim, generator=random)
        captions = nn.functional.normalize(captions)
        inputs = generator_inputs(pixels, captions, [0, 1], config.noise_dim)
        right = TorchEngine(self.bundle).generate(*inputs)
        error = float((self.generate(*inputs) - right).abs().mean()) * 127.5
        if not error <= max_error:  # nor NaN
            raise EngineError(f"{self.name} is {error:.3g} levels from torch, over {max_error:g}")


def load_engine(bundle: Bundle, kind: str = "auto", threads: int = 1) -> Engine:
    """Load an engine for a bundle.

    Args:
        bundle: on its device.
        kind: `torch`; `openvino`, in the CPU's own best format; `openvino-f32`, closest to torch;
            `auto` for `openvino` where the bundle is on a CPU, OpenVINO is installed and the
            network can be converted, else `torch`.
        threads: how many images OpenVINO computes at one time, a thread each. It changes no bit.

    Raises:
        EngineError: the engine was requested by name and is not available.
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
    except Exception as error:  # the libraries raise many kinds, of many lines
        first = str(error).strip().partition("\n")[0]
        name = type(network).__name__
        raise EngineError(f"OpenVINO cannot compute {name}: {first}") from error
