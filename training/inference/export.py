"""Export a run as a bundle: the averaged generator, its config and a model card."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.frozen.scorers import ScorerSettings
from models.runtime.bundle import OWNED, BundleConfig, write_bundle
from models.runtime.replace_files import replace_folder
from training.common.errors import RunError
from training.common.output_files import check_output_folder
from training.config.load import to_table
from training.inference.model_card import DEFAULT_NOTES, add_evaluations, model_card
from training.runs.data_record import DataRecord
from training.runs.load_run import NEWEST, LoadedRun, load_run
from training.runs.run_dir import RECORD, RunDir
from training.scorers.train import SCORER_KINDS, load_scorer

PLAIN = "plain"  # the scorer that a bundle may carry


def export(
    folder: Path,
    bundle: Path,
    name: str | None = None,
    evaluations: Sequence[Path] = (),
    which: str = NEWEST,
    *,
    scorer: Path | None = None,
    guidance: float | None = None,
    temperature: float | None = None,
    notes: Path | None = None,
    data: Sequence[Path] = (),
) -> str:
    """Write a run's checkpoint as a bundle; an error leaves an older bundle as it was.

    Args:
        folder: of the run.
        bundle: folder to write; an older bundle in it is replaced.
        name: what to call it; the recipe's name by default.
        evaluations: JSON files that `evaluate` wrote for these very weights; their tables go on
            the model card and their grids beside it.
        which: `newest` or `best` checkpoint.
        scorer: weights of a `plain` scorer, for the bundle to rank fills with.
        guidance: how far past its caption a fill goes; as the recipe says by default.
        temperature: standard deviation of the noise of a fill; as the recipe says by default.
        notes: Markdown of what a person must know of these weights and no program can tell; on the
            card in the place of the usual warnings.
        data: prepared folders where the run's data may have moved to; only runs of earlier
            versions, which have not recorded what is needed of it, look at the data.

    Returns:
        The bundle's digest.

    Raises:
        RunError: no run, checkpoint, scorer or notes there, or of a system that fills no hole, or
            whose generator knows no guidance or temperature, or the bundle cannot be written.
        EvaluationError: an evaluation is of another bundle.
        PreparedDataError: the run does not record its data (`RunDir.data_records`), which are gone.
        ReplaceError: the bundle cannot be written.
    """
    check_output_folder(bundle)
    if (bundle / RECORD).exists():
        raise RunError(f"{bundle} is a run directory: choose another folder for the bundle")
    run = RunDir.open(folder)
    if run.recipe.picture.hole == "all":
        raise RunError(f"{folder}: {run.recipe.name} makes whole pictures and fills no hole")
    loaded = load_run(folder, which, data)
    wanted = {"guidance": guidance, "temperature": temperature}
    at_will = {name: value for name, value in wanted.items() if value is not None}
    for name_of_it, value in at_will.items():
        if not math.isfinite(value) or value < 0:
            raise RunError(f"{name_of_it} {value}: must be a number, 0 or more")
        if not hasattr(loaded.generator.settings, name_of_it):
            raise RunError(f"generator {run.recipe.generator.kind!r} knows no {name_of_it}")
    config = bundle_config(loaded, name or run.recipe.name, at_will, ranks=scorer is not None)
    ranking = load_scorer(SCORER_KINDS[PLAIN], scorer, config.caption_dim) if scorer else None
    card = model_card(config, read_notes(notes) if notes else DEFAULT_NOTES)
    with replace_folder(bundle, OWNED) as draft:
        digest = write_bundle(draft, loaded.generator, config, card, ranking)
        if evaluations:
            add_evaluations(draft, digest, evaluations)
    return digest


def bundle_config(
    loaded: LoadedRun,
    name: str,
    at_will: Mapping[str, float] = MappingProxyType({}),
    *,
    ranks: bool,
) -> BundleConfig:
    """Say of a run's checkpoint what a bundle says of itself.

    Args:
        loaded: the run.
        name: of the bundle.
        at_will: settings of the generator that change no weight.
        ranks: whether it carries a scorer.

    Raises:
        PreparedDataError: the run does not record its data, which are gone.
    """
    run = loaded.run
    records = run.data_records()
    dim = records[0].caption_dim
    return BundleConfig(
        name=name,
        generator=run.recipe.generator.kind,
        settings={"caption_dim": dim, **run.recipe.generator.settings, **at_will},
        encoder=records[0].encoder,
        encoder_fingerprint=records[0].encoder_fingerprint,
        caption_dim=dim,
        noise_dim=int(loaded.generator.settings.noise_dim),  # type: ignore[arg-type, union-attr]
        training=provenance(run, loaded.step, records),
        scorer={"kind": PLAIN, "settings": asdict(ScorerSettings(dim))} if ranks else None,
    )


def read_notes(place: Path) -> str:
    """Read what is to go on the card."""
    try:
        return place.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"no notes at {place}: {error}") from error


def provenance(run: RunDir, step: int, records: Sequence[DataRecord]) -> dict[str, Any]:
    """Return where the weights come from, without a path of the machine they were made on."""
    record = json.loads((run.folder / RECORD).read_text(encoding="utf-8"))
    data = [{"source": r.source, "digest": r.digest, "train": r.train} for r in records]
    begun = {"begun_with": run.init_checkpoint.provenance()} if run.init_checkpoint else {}
    return {
        **begun,
        "recipe": to_table(run.recipe),
        "changes": list(run.changes),
        "steps": step,
        "pictures_seen": step * run.recipe.run.batch_size * run.recipe.optimizers.critic_steps,
        "data": data,
        "revision": record["revision"],
        "libraries": record["libraries"],
    }
