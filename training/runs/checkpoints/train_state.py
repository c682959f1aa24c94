"""The networks and optimizers of a run, built from its recipe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from models.discriminators import DISCRIMINATORS
from models.generators import GENERATORS
from models.seeded_noise import seeded_noise
from training.common import distributed
from training.common.errors import RunError
from training.config.config import ComponentConfig, Config, EngineConfig
from training.data.sampling import mix_seed
from training.losses.objectives.base import BaseObjective
from training.optim.ema import build_ema
from training.optim.lr_scheduler import PlateauScheduler
from training.optim.optimizers import build_optimizer, check_optimizer_state


@dataclass
class TrainState:
    """Networks, optimizers, average and objective: what training changes and a checkpoint holds."""

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    objective: BaseObjective
    plateau: PlateauScheduler | None = None

    @property
    def inference_generator(self) -> nn.Module:
        """The generator to sample from: the moving average where there is one."""
        return self.generator if self.average is None else self.average.module

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all of them, by name."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned.

        Raises:
            RunError: the state is of other networks, optimizers or objective than the recipe's.
        """
        for name, part in self._parts().items():
            if name not in state:
                raise RunError(f"the checkpoint's {name} does not fit the recipe: it has none")
            try:
                load_component(part, state[name])
            except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
                why = " ".join(str(error).split()[:40])
                raise RunError(f"the checkpoint's {name} does not fit the recipe: {why}") from error
        if self.plateau is not None:
            self.plateau.restore_rates(self.generator_optimizer, self.discriminator_optimizer)

    def _parts(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if part is not None}


def load_component(part: Any, saved: dict[str, Any]) -> None:
    """Load the state of a network, an optimizer, the average, the objective or the plateau."""
    if not isinstance(part, torch.optim.Optimizer):
        part.load_state_dict(saved)
        return
    # Moments come from the checkpoint, rates from the recipe: a resume may change them.
    part.load_state_dict({**saved, "param_groups": part.state_dict()["param_groups"]})
    check_optimizer_state(part)


def build_train_state(recipe: Config, caption_dim: int, device: torch.device) -> TrainState:
    """Build both networks from the seed, their optimizers, the average and the objective."""
    torch.manual_seed(recipe.run.seed)
    layout = memory_format(recipe.engine)

    def build(part: ComponentConfig, registry: dict[str, Any]) -> nn.Module:
        network = build_network(part, registry, caption_dim)
        return distributed.convert_sync_bn(network, device).to(device).to(memory_format=layout)

    generator = build(recipe.generator, GENERATORS)
    discriminator = build(recipe.discriminator, DISCRIMINATORS)
    return TrainState(
        generator,
        discriminator,
        build_optimizer(generator, recipe.optimizers.generator),
        build_optimizer(discriminator, recipe.optimizers.discriminator),
        build_ema(generator, recipe.run.ema) if recipe.run.ema else None,
        recipe.build_objective(),
        PlateauScheduler(recipe.optimizers.plateau) if recipe.optimizers.plateau else None,
    )


def build_network(part: ComponentConfig, registry: dict[str, Any], caption_dim: int) -> nn.Module:
    """Build a network by its registered name, for caption vectors of the data's length."""
    built: nn.Module = registry[part.kind]({"caption_dim": caption_dim, **part.settings})
    return built


def row_noise(generator: Any, count: int, seed: int) -> Tensor:
    """Sample noise `(count, noise_dim)`; row *i* depends on the seed and *i* alone."""
    seeds = [mix_seed(seed, row) for row in range(count)]
    return torch.from_numpy(seeded_noise(seeds, generator.settings.noise_dim))


def memory_format(engine: EngineConfig) -> torch.memory_format:
    """Return the recipe's layout of pictures and convolutions."""
    return torch.channels_last if engine.channels_last else torch.contiguous_format


def pick_device(engine: EngineConfig) -> torch.device:
    """Return the recipe's device; `auto` is CUDA where there is one.

    Raises:
        RunError: the recipe asks for CUDA and there is none.
    """
    if engine.device == "cuda" and not torch.cuda.is_available():
        raise RunError(
            "engine.device is cuda and torch finds no GPU here: --set engine.device=cpu or auto"
        )
    return available_device(engine)


def available_device(engine: EngineConfig) -> torch.device:
    """Return the recipe's device, or the CPU where it is not available."""
    cuda = engine.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Put a network into evaluation mode, and restore its mode afterwards."""
    was_training = network.training
    try:
        yield network.eval()
    finally:
        network.train(was_training)
