"""Exponential moving average of the generator."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def build_ema(generator: nn.Module, decay: float) -> AveragedModel:
    """Return the moving average of a generator: `ema ← d·ema + (1 - d)·weights`.

    The decay warms up as `min(decay, (1 + n) / (10 + n))`, so that a short run's average is not
    its random start. Buffers (batch-norm statistics) are averaged too: the copy is used for
    inference and must fit its own weights.

    Args:
        generator: copied, not changed.
        decay: 0 to 1; 0 follows exactly.
    """

    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        warm = min(decay, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(average, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - warm)
            else:  # a counter of batches has no average
                mean.copy_(value)

    return AveragedModel(generator, multi_avg_fn=update, use_buffers=True)
