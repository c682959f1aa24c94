"""Optimizers: a recipe's settings, and what is built from them."""

from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass
from torch import nn

from training.optim.lr_scheduler import PlateauSettings

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class AdamConfig:
    """Adam's settings (Kingma & Ba 2015); betas as Radford 2015 advises for GANs.

    Attributes:
        kind: `adam`.
        lr: learning rate.
        beta1: decay of the running mean of gradients.
        beta2: decay of the running mean of squared gradients.
        fused: one pass over the weights for a step, not one for each operation: other rounding,
            and several times as fast where there are tens of millions of weights.
    """

    kind: Literal["adam"] = "adam"
    lr: float = Field(default=2e-4, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    fused: bool = False


@dataclass(frozen=True, config=STRICT)
class RmsPropConfig:
    """RMSProp's settings (Tieleman & Hinton 2012); the rate as Arjovsky 2017 has it for critics.

    Attributes:
        kind: `rmsprop`.
        lr: learning rate.
        smoothing: decay of the running mean of squared gradients.
    """

    kind: Literal["rmsprop"]
    lr: float = Field(default=5e-5, gt=0)
    smoothing: float = Field(default=0.99, ge=0, lt=1)


def optimizer_kind(value: Any) -> Any:
    """Return the kind of optimizer that a table or object describes; by default Adam."""
    return value.get("kind", "adam") if isinstance(value, dict) else getattr(value, "kind", None)


OptimizerConfig = Annotated[
    Annotated[AdamConfig, Tag("adam")] | Annotated[RmsPropConfig, Tag("rmsprop")],
    Discriminator(
        optimizer_kind,
        custom_error_type="optimizer",
        custom_error_message="kind is none of adam, rmsprop",
    ),
]


@dataclass(frozen=True, config=STRICT)
class OptimizersConfig:
    """The optimizers of both networks.

    Attributes:
        generator: the generator's.
        discriminator: the discriminator's.
        critic_steps: discriminator steps per generator step.
        plateau: when to halve both learning rates; None never does.
    """

    generator: OptimizerConfig = AdamConfig()
    discriminator: OptimizerConfig = AdamConfig()
    critic_steps: int = Field(default=1, ge=1)
    plateau: PlateauSettings | None = None


def build_optimizer(module: nn.Module, settings: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the recipe's optimizer over a module's parameters."""
    if isinstance(settings, AdamConfig):
        betas = (settings.beta1, settings.beta2)
        # None leaves the choice of how to step to torch, as it is without the argument.
        fused = settings.fused or None
        return torch.optim.Adam(module.parameters(), lr=settings.lr, betas=betas, fused=fused)
    return torch.optim.RMSprop(module.parameters(), lr=settings.lr, alpha=settings.smoothing)


def check_optimizer_state(optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimizer's loaded state is of its own kind; torch would fail at a step.

    Raises:
        ValueError: the state is of another kind of optimizer.
    """
    moment = "exp_avg_sq" if isinstance(optimizer, torch.optim.Adam) else "square_avg"
    if any(moment not in state for state in optimizer.state.values()):
        raise ValueError(f"its state is not of {type(optimizer).__name__}")
