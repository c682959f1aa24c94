"""The engine for GPUs, and for bundles that carry no ONNX: torch."""

import numpy as np
import torch
from torch import Tensor

from models.pixels import Floats
from models.runtime.bundle import Bundle
from models.runtime.engine import Engine
from models.runtime.sampling import example_inputs
from models.torch_threads import one_thread


class TorchEngine(Engine):
    """The networks as torch runs them, operation by operation, in float32."""

    name = "torch"
    bundle: Bundle

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.has_scorer = bundle.scorer is not None
        self.device = str(next(bundle.generator.parameters()).device)

    def release_memory(self) -> None:
        """Give cached memory of the GPU back."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def generate(self, *inputs: Floats) -> Floats:
        """Compute the bundle's generator, `(N, 3, 32, 32)`."""
        return self._run(self.bundle.generator, inputs)

    def _score(self, centres: Floats, captions: Floats) -> Floats:
        assert self.bundle.scorer is not None
        return self._run(self.bundle.scorer, (centres, captions))

    def _rows_at_once(self, count: int) -> int:
        return 1 if self.device == "cpu" else max(count, 1)

    @torch.inference_mode()
    def _run(self, network: torch.nn.Module, batch: tuple[Floats, ...]) -> Floats:
        tensors = [torch.from_numpy(np.array(array)).to(self.device) for array in batch]
        with one_thread(self.device):
            step = self._rows_at_once(len(tensors[0]))
            parts = zip(*(torch.split(tensor, step) for tensor in tensors), strict=True)
            found: list[Tensor] = [network(*part) for part in parts]
            out: Floats = torch.cat(found).float().cpu().numpy()
        return out


def reference(bundle: Bundle) -> dict[str, Floats]:
    """Return what torch computes for `example_inputs`: `fills`, and `scores` with a scorer."""
    config, engine = bundle.config, TorchEngine(bundle)
    pixels, inputs = example_inputs(config.caption_dim, config.noise_dim)
    found = {"fills": engine.generate(*inputs)}
    if engine.has_scorer:
        found["scores"] = engine.score(pixels, inputs[2])
    return found
