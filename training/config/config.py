"""The recipe as frozen dataclasses: one named run configuration per system."""

from dataclasses import field
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.config.image_spec import ImageSpec
from training.losses.objectives import find_objective
from training.monitors.monitor_set import MonitorSettings
from training.optim.optimizers import STRICT, OptimizersConfig
from training.optim.precision import Precision


@dataclass(frozen=True, config=STRICT)
class ComponentConfig:
    """A network or objective by its registered name, with its own settings."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class AugmentConfig:
    """Augmentation of images and captions.

    Attributes:
        flip: mirror half of the pictures, but none whose caption says left or right.
        rotate: share of the pictures turned by a small angle, hole and all; 0 turns it off.
        degrees: largest angle, either way.
        drop_caption: share of the captions replaced by "no caption".
    """

    flip: bool = True
    rotate: float = Field(default=0.1, ge=0, le=1)
    degrees: float = Field(default=8.0, ge=0, le=45)
    drop_caption: float = Field(default=0.1, ge=0, le=1)


@dataclass(frozen=True, config=STRICT)
class DropoutConfig:
    """Dropout in the generator's decoder, off until the middle of training.

    Attributes:
        probability: 0 turns it off for good.
        start: share of the run's steps after which it switches on.
    """

    probability: float = Field(default=0.1, ge=0, lt=1)
    start: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True, config=STRICT)
class ResidualFadeConfig:
    """Fading residuals of BEGAN's networks.

    Attributes:
        steps: over which α falls from 1 to 0, in a straight line; 0 for no residuals.
    """

    steps: int = Field(default=0, ge=0)


@dataclass(frozen=True, config=STRICT)
class EngineConfig:
    """Device and arithmetic; they change results only by rounding.

    Attributes:
        device: `cpu`, `cuda`, or `auto` for CUDA where there is one.
        precision: `fp32`; `bf16` for autocast; `auto` for the latter where the device has it in
            hardware. A resumed run keeps its precision.
        channels_last: memory layout of pictures and convolutions.
        compile: run both networks through torch.compile.
        threads: CPU threads; 0 leaves torch's choice.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False
    threads: int = Field(default=0, ge=0)


@dataclass(frozen=True, config=STRICT)
class LoaderConfig:
    """How images are loaded.

    Attributes:
        stream: read pictures when their turn comes, for sets larger than memory; otherwise the
            sets are decoded into memory. The order of the pictures is another one.
        lanes: of a streamed set, the blocks (row groups of a shard, 1,000 pictures) that a batch is
            mixed from, as far as it has rows for; about as many are in memory.
        workers: processes of each rank that make batches ahead of time; 0 makes them between steps.
            They change no batch.
    """

    stream: bool = False
    lanes: int = Field(default=16, ge=1)
    workers: int = Field(default=0, ge=0)


# The trackers of `accelerate.tracking`.
Tracker = Literal[
    "tensorboard", "wandb", "mlflow", "trackio", "comet_ml", "aim", "clearml", "dvclive", "swanlab"
]


@dataclass(frozen=True, config=STRICT)
class RunConfig:
    """Length, seed, and intervals of logs, samples and checkpoints.

    Attributes:
        steps: generator steps in all.
        minutes: limit of the time for steps (without samples and measurements); on a CPU it is
            processor time divided by threads, unaffected by other load. 0 for no limit.
        batch_size: pictures a step, over all ranks.
        seed: of everything random in the run.
        balance: how sets of pictures share a batch: in proportion to count ** balance, so 1
            treats all pictures alike and 0 all sets alike.
        ema: decay of the generator's moving average; 0 turns it off.
        log_every: steps between two lines of the log.
        sample_every: steps between two sample grids.
        checkpoint_every: steps between two checkpoints.
        checkpoint_minutes: minutes between two checkpoints, whichever comes first.
        snapshot_every: steps between two snapshots of the generator, which are kept for good; 0
            takes none.
        trackers: where metrics go besides `log.jsonl`.
    """

    steps: int = Field(default=20_000, ge=1)
    minutes: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=64, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**32)
    balance: float = Field(default=0.5, ge=0, le=1)
    ema: float = Field(default=0.999, ge=0, lt=1)
    log_every: int = Field(default=50, ge=1)
    sample_every: int = Field(default=1000, ge=1)
    checkpoint_every: int = Field(default=5000, ge=1)
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    snapshot_every: int = Field(default=1000, ge=0)
    trackers: tuple[Tracker, ...] = ("tensorboard",)


@dataclass(frozen=True, config=STRICT)
class BestCheckpointConfig:
    """The best checkpoint, kept besides the newest.

    Attributes:
        metric: the lowest `kid`, or the highest `hole_psnr` of inpainting.
        every: steps between two measurements on held-out pictures; 0 keeps no best.
        pictures: number of measured pictures; KID is unbiased, but noisy below a few hundred.
    """

    metric: Literal["kid", "hole_psnr"] = "kid"
    every: int = Field(default=1000, ge=0)
    pictures: int = Field(default=256, ge=4)


@dataclass(frozen=True, config=STRICT)
class Config:
    """A whole run: what is trained, how, and for how long."""

    name: str
    description: str
    generator: ComponentConfig
    discriminator: ComponentConfig
    objective: ComponentConfig
    run: RunConfig = RunConfig()
    picture: ImageSpec = ImageSpec()
    optimizers: OptimizersConfig = OptimizersConfig()
    augment: AugmentConfig = AugmentConfig()
    dropout: DropoutConfig = DropoutConfig()
    vanishing: ResidualFadeConfig = ResidualFadeConfig()
    engine: EngineConfig = EngineConfig()
    loading: LoaderConfig = LoaderConfig()
    guards: MonitorSettings = MonitorSettings()
    keep: BestCheckpointConfig = BestCheckpointConfig()

    def build_objective(self) -> Any:
        """Build the objective; its settings are validated here."""
        kind = find_objective(self.objective.kind)
        return kind(kind.settings_type(**self.objective.settings))
