"""One set of held-out pictures on which one bundle after another is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.runtime.bundle import Bundle
from models.runtime.engines import load_engine
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split
from training.evaluation.benchmarks.suite import run_quick_benchmarks
from training.evaluation.context import EvalContext
from training.evaluation.measurement import Measurement
from training.evaluation.results import (
    MethodResults,
    evaluate_bundle,
    evaluate_methods,
    no_progress,
)
from training.metrics.mobilenet import load_extractor
from training.scorers.judge import Judge

BATCH = 32
# What is taken: all of `evaluate` that tells bundles apart in minutes.
TAKEN = (
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

# Measure -> data -> the figure, with its interval's ends where it has one.
Told = dict[str, dict[str, list[float]]]


@dataclass
class Benchmark:
    """Measures bundles on one folder's held-out pictures.

    What the classical methods make of them is made once, for the first bundle.

    Attributes:
        folder: that `prepare` wrote.
        judge: the judging scorer; None where there is none for these captions.
        count: how many pictures, evenly spaced.
        seed: as `evaluate` has it.
    """

    folder: Path
    judge: Judge | None
    count: int
    seed: int
    last: MethodResults | None = field(default=None, init=False)

    @property
    def filled(self) -> MethodResults:
        """What the last bundle made of the pictures."""
        assert self.last is not None
        return self.last

    def measure(self, bundle: Bundle) -> list[Measurement]:
        """Take the measures `TAKEN`, but class words where there are no classes.

        Raises:
            PreparedDataError: no such data, or its captions are of another encoder.
            EvaluationError: fewer than two pictures, or pictures under 64×64.
        """
        engine, extractor = load_engine(bundle), load_extractor("cpu")
        if self.last is None:
            which = Manifest.load(self.folder).held_out
            fingerprint = bundle.config.encoder_fingerprint
            self.last = evaluate_methods(
                engine.fill,
                {},
                load_split(self.folder, which, encoder_fingerprint=fingerprint),
                which,
                extractor,
                limit=self.count,
                seed=self.seed,
                batch_size=BATCH,
                progress=no_progress,
                timed=False,
            )
        else:
            self.last = evaluate_bundle(self.last, engine.fill, extractor, BATCH)
        context = EvalContext(self.last, engine, {}, extractor, self.judge, BATCH, no_progress)
        return run_quick_benchmarks(context)


def measure_on(benches: Sequence[Benchmark], bundle: Bundle) -> Told:
    """Measure a bundle on several sets; plain values of what could be measured."""
    found: Told = {}
    for figure in (figure for bench in benches for figure in bench.measure(bundle)):
        if figure.measure in TAKEN and figure.value is not None:
            ends = [figure.interval.low, figure.interval.high] if figure.interval else []
            numbers = [round(float(number), 4) for number in (figure.value, *ends)]
            found.setdefault(figure.measure, {})[figure.data] = numbers
    return found


def shown(told: Told) -> Mapping[str, str]:
    """Each measure of several sets in a cell, such as `0.18 / 0.17`."""
    return {
        name: " / ".join(f"{numbers[0]:.3g}" for numbers in by_data.values())
        for name, by_data in told.items()
    }
