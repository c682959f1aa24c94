"""What guidance and temperature trade for each other: one bundle's measures at several of both."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import matplotlib.pyplot as plt
import torch
import typer
from matplotlib.figure import Figure as Drawing

from models.bundle import Bundle, load_bundle
from models.engine import load_engine
from training.bounds import MEASURES
from training.errors import RunError
from training.evaluated import Evaluated, try_all
from training.experiments.base import Count, Out, Seed, experiment, leave
from training.features import load_extractor
from training.figures import Figure
from training.judging import Judge, load_judge
from training.manifest import Manifest
from training.measures.fidelity import first_kid, psnr_draw, psnr_mean
from training.measures.one_set import looked_at
from training.measures.subject import DRAWS, Subject
from training.methods import TRUE
from training.progress import say
from training.shards import load_split
from training.words.class_moves import class_words

BATCH = 32
SHOWN = (
    "kid_ratio",
    "psnr_draw",
    "psnr_mean",
    "diversity",
    "captions_help",
    "captions_steer",
    "class_words",
)
Many = list[float] | None


@experiment("frontier")
def frontier(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[list[Path], typer.Option("--data", help="A folder that prepare wrote.")],
    guidance: Annotated[Many, typer.Option(help="Of captions; may be repeated.")] = None,
    temperature: Annotated[Many, typer.Option(help="Of noise; may be repeated.")] = None,
    out: Out = Path("frontier.json"),
    count: Count = 200,
    seed: Seed = 0,
) -> None:
    """Measure a bundle's held-out fills at every guidance with every temperature."""
    loaded = load_bundle(bundle)
    settings = loaded.generator.settings
    if not hasattr(settings, "temperature"):
        raise RunError(f"generator {loaded.config.generator!r} knows no guidance or temperature")
    judge, points = load_judge(loaded.config.caption_dim), []
    for hot in temperature or [settings.temperature]:
        for far in guidance or [settings.guidance]:
            loaded.generator.settings = replace(settings, guidance=far, temperature=hot)  # type: ignore[assignment, type-var]
            figures = [f for folder in data for f in measure(loaded, folder, judge, count, seed)]
            points.append({"guidance": far, "temperature": hot, "figures": told(figures)})
            say(f"guidance {far:g}, temperature {hot:g}: {points[-1]['figures']}")
    results = {"bundle": loaded.digest, "pictures": count, "seed": seed, "points": points}
    leave(out, "frontier", [], results, draw(points))


def measure(
    bundle: Bundle, folder: Path, judge: Judge | None, count: int, seed: int
) -> list[Figure]:
    """Take the measures that guidance and temperature move, of one folder's held-out pictures."""
    engine, extractor = load_engine(bundle), load_extractor("cpu")
    which, config = Manifest.load(folder).held_out, bundle.config
    prepared = load_split(folder, which, encoder_fingerprint=config.encoder_fingerprint)
    done: Evaluated = try_all(
        engine.fill,
        {},
        prepared,
        which,
        extractor,
        limit=count,
        seed=seed,
        batch_size=BATCH,
        progress=quiet,
    )
    subject = Subject(done, engine, {}, extractor, judge, BATCH, quiet)
    first = torch.stack([done.fills[TRUE], done.reseeded])[:, subject.drawn]
    draws = subject.draw(engine.fill, "draws", first, DRAWS)
    words = class_words(subject) if any(prepared.labels) else []
    taken = [first_kid(subject), psnr_draw(subject), psnr_mean(subject, draws)]
    return [*taken, *looked_at(subject, draws), *words]


def quiet(stage: str, done: int, total: int | None) -> None:
    """Tell nothing: a line comes after each point."""


def told(figures: Sequence[Figure]) -> dict[str, dict[str, list[float]]]:
    """Measure -> data -> the figure, with its interval's ends where it has one."""
    found: dict[str, dict[str, list[float]]] = {}
    for figure in figures:
        if figure.measure in SHOWN and figure.value is not None:
            ends = [figure.interval.low, figure.interval.high] if figure.interval else []
            numbers = [round(float(number), 4) for number in (figure.value, *ends)]
            found.setdefault(figure.measure, {})[figure.data] = numbers
    return found


def draw(points: Sequence[dict[str, Any]]) -> Drawing:
    """Draw every measure over guidance, a line for each temperature and set, with its bounds."""
    drawing, axes = plt.subplots(2, 4, figsize=(15, 6.5), layout="constrained")
    temperatures = list(dict.fromkeys(point["temperature"] for point in points))
    for name, axis in zip(SHOWN, axes.flat, strict=False):
        for number, hot in enumerate(temperatures):
            mine = [point for point in points if point["temperature"] == hot]
            sets = dict.fromkeys(key for point in mine for key in point["figures"].get(name, {}))
            for data, style in zip(sets, ("-", "--", ":", "-."), strict=False):
                along = [(p["guidance"], p["figures"][name][data][0]) for p in mine]
                axis.plot(
                    *zip(*along, strict=True),
                    style,
                    marker="o",
                    color=f"C{number}",
                    label=f"{hot:g}, {data}",
                )
        for bound, color in ((MEASURES[name].must, "tab:red"), (MEASURES[name].reach, "tab:green")):
            if bound is not None:
                axis.axhline(bound, color=color, linewidth=0.8)
        axis.set(title=MEASURES[name].title, xlabel="guidance")
        axis.title.set_fontsize(9)
    handles = axes.flat[1].get_legend_handles_labels()
    axes.flat[-1].axis("off")
    axes.flat[-1].legend(*handles, title="temperature, data", loc="center")
    return drawing
