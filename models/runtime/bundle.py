"""A bundle's networks, loaded by torch."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from models.frozen.scorers import SCORERS
from models.generators import GENERATORS
from models.runtime.bundle_files import (
    SCORER_WEIGHTS,
    WEIGHTS,
    BundleError,
    BundleInfo,
    read_bundle,
)


@dataclass(frozen=True, kw_only=True)
class Bundle(BundleInfo):
    """Networks ready for inference (eval mode, float32), and their config.

    Attributes:
        scorer: scores how well a fill fits a caption (`models.frozen.scorers`), if there is one.
    """

    generator: nn.Module
    scorer: nn.Module | None = None


def load_bundle(folder: Path, device: str = "cpu") -> Bundle:
    """Read a bundle, check that it is complete, and load its networks by torch.

    Raises:
        BundleError: a file is missing or damaged, the digest does not fit, a network is unknown
            to this version, or the device cannot be used.
    """
    files = read_bundle(folder)
    config, scorer = files.config, None
    try:
        generator = load_weights(folder / WEIGHTS, GENERATORS[config.generator](config.settings))
        if config.scorer is not None:
            scorer = SCORERS[config.scorer["kind"]](config.scorer["settings"])
            scorer = load_weights(folder / SCORER_WEIGHTS, scorer)
    except (TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"bundle {folder} does not fit this version: {error}") from error
    try:
        return Bundle(
            generator=generator.to(device),
            scorer=scorer and scorer.to(device),
            config=config,
            digest=files.digest,
            weights_digest=files.weights_digest,
        )
    except (AssertionError, RuntimeError) as error:  # torch without CUDA fails an assertion
        raise BundleError(f"device {device} cannot be used: {error}") from error


def load_weights(path: Path, network: nn.Module) -> nn.Module:
    """Fill a network with saved weights as float32, ready for inference."""
    weights = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def halve(value: torch.Tensor) -> torch.Tensor:
    """Return a contiguous CPU copy, in float16 where it was floating-point."""
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() else value
