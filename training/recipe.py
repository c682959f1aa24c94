"""Recipes: one named run configuration per system, TOML to frozen dataclasses."""

import difflib
import tomllib
from dataclasses import asdict, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import nn

from models.discriminators import DISCRIMINATORS
from models.generators import GENERATORS
from training.errors import RecipeError
from training.fit import check_fit
from training.guards import GuardSettings
from training.objectives import find_objective
from training.optimizers import STRICT, Optimizers
from training.picture import Picture


@dataclass(frozen=True, config=STRICT)
class Part:
    """A network or objective by its registered name, with its own settings."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class Augment:
    """What is done to a picture before it is used.

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
class Dropout:
    """Dropout in the generator's decoder, off until the middle of training.

    Attributes:
        probability: 0 turns it off for good.
        start: share of the run's steps after which it switches on.
    """

    probability: float = Field(default=0.1, ge=0, lt=1)
    start: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True, config=STRICT)
class Vanishing:
    """Residuals that carry BEGAN's first steps and then vanish.

    Attributes:
        steps: over which the carry falls from 1 to 0, in a straight line; 0 has none.
    """

    steps: int = Field(default=0, ge=0)


@dataclass(frozen=True, config=STRICT)
class Engine:
    """How the arithmetic is done; none of it changes what is computed but by rounding.

    Attributes:
        device: `cpu`, `cuda`, or `auto` for CUDA where there is one.
        precision: `fp32`; `bf16` for autocast; `auto` for the latter where the device has it in
            hardware. A run keeps to what it began with.
        channels_last: memory layout of pictures and convolutions.
        compile: run both networks through torch.compile.
        threads: CPU threads; 0 leaves torch's choice.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    channels_last: bool = False
    compile: bool = False
    threads: int = Field(default=0, ge=0)


@dataclass(frozen=True, config=STRICT)
class Loading:
    """How pictures come from disk.

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


@dataclass(frozen=True, config=STRICT)
class Run:
    """Length, seed, and how often a run leaves something behind.

    Attributes:
        steps: generator steps in all.
        minutes: after so many of steps alone (samples and measurements not counted) the run ends
            before that; on a CPU of processor time over threads, which company does not lengthen.
            0 ends no run.
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


@dataclass(frozen=True, config=STRICT)
class Keep:
    """The best checkpoint, kept besides the newest.

    Attributes:
        metric: what is best: the lowest `kid`, or the highest `hole_psnr` of inpainting.
        every: steps between two measurements on held-out pictures; 0 keeps no best.
        pictures: how many are measured; KID is biased by none, but noisy below a few hundred.
    """

    metric: Literal["kid", "hole_psnr"] = "kid"
    every: int = Field(default=1000, ge=0)
    pictures: int = Field(default=256, ge=4)


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """A whole run: what is trained, how, and for how long."""

    name: str
    description: str
    generator: Part
    discriminator: Part
    objective: Part
    run: Run = Run()
    picture: Picture = Picture()
    optimizers: Optimizers = Optimizers()
    augment: Augment = Augment()
    dropout: Dropout = Dropout()
    vanishing: Vanishing = Vanishing()
    engine: Engine = Engine()
    loading: Loading = Loading()
    guards: GuardSettings = GuardSettings()
    keep: Keep = Keep()

    def __post_init__(self) -> None:
        generator = sketch("generator", self.generator, GENERATORS)
        discriminator = sketch("discriminator", self.discriminator, DISCRIMINATORS)
        check_fit(self, generator, discriminator, self.build_objective())

    def build_objective(self) -> Any:
        """Build the objective; its settings are validated here."""
        kind = find_objective(self.objective.kind)
        return kind(kind.settings_type(**self.objective.settings))


def sketch(name: str, part: Part, registry: dict[str, Any]) -> nn.Module:
    """Build a network as shapes without numbers, so that what does not fit shows before any work.

    Raises:
        ValueError: no network of that kind, or not with these settings.
    """
    if part.kind not in registry:
        raise ValueError(f"{name}.kind {part.kind!r} is none of {', '.join(registry)}")
    try:
        with torch.device("meta"):
            built: nn.Module = registry[part.kind](part.settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}.settings: {error}") from error
    return built


def load_recipe(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe by name or path, and apply `section.key=value` overrides.

    Args:
        name: a shipped recipe (`inpaint-gan`) or the path of a TOML file.
        overrides: as given with `--set`; values are read as TOML, else taken as text.

    Raises:
        RecipeError: not found, not TOML, or a value is unknown or out of range.
    """
    try:
        table = tomllib.loads(recipe_text(name))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name}: not TOML: {error}") from error
    return parse_recipe(override(table, overrides or []))


def parse_recipe(table: dict[str, Any]) -> Recipe:
    """Validate a recipe given as plain tables.

    Raises:
        RecipeError: one line that names the key and what is wrong with it.
    """
    try:
        return TypeAdapter(Recipe).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise RecipeError(f"{where}: {first['msg']}{suggestion(where)}") from error
    except TypeError as error:
        raise RecipeError(f"recipe: {error}") from error


def as_table(recipe: Recipe) -> dict[str, Any]:
    """Return the resolved recipe as plain tables; `parse_recipe` takes them back."""
    return asdict(recipe)


def recipe_text(name: str) -> str:
    """Return a recipe's TOML: a path first, then the shipped ones."""
    shipped = resources.files("training") / "recipes"
    place = Path(name) if Path(name).is_file() else shipped / f"{name}.toml"
    if not place.is_file():
        names = sorted(p.name.removesuffix(".toml") for p in shipped.iterdir())
        raise RecipeError(f"no recipe {name!r}; there are {', '.join(names)}")
    return place.read_text(encoding="utf-8-sig")


def override(table: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Apply `section.key=value` pairs to a copy of the tables.

    Raises:
        RecipeError: a pair has no `=` or an empty key, or goes through what is no table.
    """
    for pair in overrides:
        path, equals, text = pair.partition("=")
        if not equals or not all(path.strip().split(".")):
            raise RecipeError(f"--set {pair}: expected key=value")
        *parents, key = path.strip().split(".")
        table = {**table}
        inner = table
        for parent in parents:
            below = inner.get(parent, {})
            if not isinstance(below, dict):
                raise RecipeError(f"--set {pair}: {parent} is not a table")
            inner[parent] = {**below}
            inner = inner[parent]
        inner[key] = toml_value(text.strip())
    return table


def toml_value(text: str) -> Any:
    """Read a value as TOML does; what is not TOML is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def suggestion(where: str) -> str:
    """Return " (did you mean …?)" for a mistyped key or one without its section, or nothing."""
    *parents, key = where.split(".")
    names = fields_below(Recipe, parents)
    if key in names:
        return ""
    close = difflib.get_close_matches(key, names, n=1) or [
        f"{section}.{key}"
        for section in fields_below(Recipe, [])
        if not parents and key in fields_below(Recipe, [section])
    ]
    return f" (did you mean {close[0]}?)" if close else ""


def fields_below(kind: Any, parents: list[str]) -> list[str]:
    """Return the names of a dataclass's fields, or those of a field below it."""
    for parent in parents:
        found = getattr(kind, "__dataclass_fields__", {}).get(parent)
        kind = found.type if found is not None else None
    return list(getattr(kind, "__dataclass_fields__", {}))
