"""Measures several bundles on the same held-out pictures, with the quick benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captionfill.inpainter import Inpainter
from models.runtime.bundle import Bundle
from models.runtime.engines import load_engine
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.benchmarks.measurement import Measurement
from training.evaluation.benchmarks.suite import run_benchmarks
from training.evaluation.benchmarks.targets import TARGETS
from training.evaluation.dataset import select_pictures
from training.evaluation.metrics.mobilenet import load_extractor
from training.evaluation.scorers.judge import Judge
from training.experiments.comparison.columns import Column

# The benchmarks of `evaluate` that distinguish bundles within minutes.
METRICS = tuple(
    Column(name, TARGETS[name].title, reference=TARGETS[name].required)
    for name in (
        "kid_ratio",
        "psnr_draw",
        "psnr_mean",
        "psnr_still",
        "seam",
        "diversity",
        "captions_help",
        "captions_steer",
        "class_words",
    )
)
METRIC_NAMES = tuple(column.key for column in METRICS)

Figures = dict[str, dict[str, list[float]]]
"""Measure -> set -> the value, and the ends of its interval where it has one."""


@dataclass
class Benchmark:
    """Measures bundles on `count` evenly spaced held-out pictures of a prepared folder.

    The classical methods fill the pictures once, for the first bundle. `judge` is the judging
    scorer, None where there is none for these captions; `context` is of the last bundle.
    """

    folder: Path
    judge: Judge | None
    count: int
    seed: int
    context: EvalContext | None = field(default=None, init=False)

    def measure(self, bundle: Bundle) -> list[Measurement]:
        """Run the benchmarks of `METRICS`; of class words only where the set has classes.

        Raises:
            PreparedDataError: no such data, or its captions are of another encoder.
            EvaluationError: fewer than two pictures, or pictures under 64×64.
        """
        inpainter = Inpainter(load_engine(bundle))
        if self.context is None:
            split = Manifest.load(self.folder).validation_split
            fingerprint = bundle.config.encoder_fingerprint
            prepared = load_split(self.folder, split, encoder_fingerprint=fingerprint)
            pictures = select_pictures(prepared, self.count, self.seed)
            self.context = EvalContext(
                inpainter, prepared, split, pictures, load_extractor(), self.judge, seed=self.seed
            )
        else:
            self.context = self.context.with_bundle(inpainter)
        return run_benchmarks(self.context, METRIC_NAMES)


def measure_bundle(benchmarks: Sequence[Benchmark], bundle: Bundle) -> Figures:
    """Measure a bundle on several sets; what could not be measured is left out."""
    found: Figures = {}
    for one in (one for benchmark in benchmarks for one in benchmark.measure(bundle)):
        if one.measure in METRIC_NAMES and one.value is not None:
            ends = [one.interval.low, one.interval.high] if one.interval else []
            numbers = [round(float(number), 4) for number in (one.value, *ends)]
            found.setdefault(one.measure, {})[one.data] = numbers
    return found


def format_figures(figures: Figures) -> Mapping[str, str]:
    """Return each measure's values on all sets as text, such as `0.18 / 0.17`."""
    return {column.key: column.cell(figures) for column in METRICS if column.key in figures}
