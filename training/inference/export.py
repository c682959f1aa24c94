"""Export a run as a bundle: the averaged generator, its config and a model card."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.frozen.scorers import ScorerSettings
from models.runtime.bundle_files import OWNED, BundleConfig, read_bundle
from models.runtime.bundle_writer import write_bundle
from models.runtime.replace_files import replace_folder
from training.common.errors import RunError
from training.common.output_files import check_output_folder
from training.config.load import to_table
from training.evaluation.scorers.kinds import SCORER_KINDS, load_scorer
from training.inference.model_card import DEFAULT_NOTES, add_evaluations, model_card
from training.runs.checkpoints.training_state import TRAINING_STATE, save_training_state
from training.runs.data_record import DataRecord
from training.runs.load_run import NEWEST, LoadedRun, load_run
from training.runs.run_dir import RECORD, RunDir

PLAIN = "plain"  # kind of the scorer in a bundle


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
    training_state: bool = False,
) -> str:
    """Write a run's checkpoint as a bundle; an error leaves an older bundle as it is.

    Args:
        folder: of the run.
        bundle: folder to write; replaces an older bundle.
        name: of the bundle; the recipe's name by default.
        evaluations: JSON files of `evaluate` for these weights; their tables go on the model
            card and their grids beside it.
        which: `newest` or `best` checkpoint.
        scorer: weights of a `plain` scorer, which ranks fills.
        guidance: scale of the caption's effect; the recipe's by default.
        temperature: standard deviation of the noise; the recipe's by default.
        notes: Markdown for the card, in place of the usual warnings.
        data: prepared folders, where the run's data have moved; needed only for runs of older
            versions, which did not record their data.
        training_state: add a file with generator, discriminator and the objective's progress in
            half precision, from which a later run continues; it is not part of the digest.

    Returns:
        The bundle's digest.

    Raises:
        RunError: no run, checkpoint, scorer or notes; an unconditional system; a generator
            without guidance or temperature; or the bundle cannot be written.
        EvaluationError: an evaluation is of another bundle.
        PreparedDataError: the run did not record its data, and they are gone.
        ReplaceError: the bundle cannot be written.
    """
    check_output_folder(bundle)
    if (bundle / RECORD).exists():
        raise RunError(f"{bundle} is a run directory: choose another folder for the bundle")
    run = RunDir.open(folder)
    if run.recipe.picture.hole == "all":
        raise RunError(f"{folder}: {run.recipe.name} generates whole images and fills no hole")
    loaded = load_run(folder, which, data)
    wanted = {"guidance": guidance, "temperature": temperature}
    overrides = {name: value for name, value in wanted.items() if value is not None}
    for name_of_it, value in overrides.items():
        if not math.isfinite(value) or value < 0:
            raise RunError(f"{name_of_it} {value}: must be a number, 0 or more")
        if not hasattr(loaded.generator.settings, name_of_it):
            raise RunError(f"generator {run.recipe.generator.kind!r} has no {name_of_it}")
    config = bundle_config(loaded, name or run.recipe.name, overrides, ranks=scorer is not None)
    ranking = load_scorer(SCORER_KINDS[PLAIN], scorer, config.caption_dim) if scorer else None
    card = model_card(config, read_notes(notes) if notes else DEFAULT_NOTES)
    with replace_folder(bundle, (*OWNED, TRAINING_STATE)) as draft:
        digest = write_bundle(draft, loaded.generator, config, card, ranking)
        if training_state:
            state_of = read_bundle(draft).weights_digest
            save_training_state(draft, state_of, run.recipe, loaded.state)
        if evaluations:
            # An evaluation may be older than the ONNX files.
            add_evaluations(draft, {digest, read_bundle(draft).weights_digest}, evaluations)
    return digest


def bundle_config(
    loaded: LoadedRun,
    name: str,
    overrides: Mapping[str, float] = MappingProxyType({}),
    *,
    ranks: bool,
) -> BundleConfig:
    """Return the bundle's config for a run's checkpoint.

    `overrides` are settings of the generator that change no weight; `ranks` adds a scorer.

    Raises:
        PreparedDataError: the run did not record its data, and they are gone.
    """
    run = loaded.run
    records = run.data_records()
    dim = records[0].caption_dim
    return BundleConfig(
        name=name,
        generator=run.recipe.generator.kind,
        settings={"caption_dim": dim, **run.recipe.generator.settings, **overrides},
        encoder=records[0].encoder,
        encoder_fingerprint=records[0].encoder_fingerprint,
        caption_dim=dim,
        noise_dim=int(loaded.generator.settings.noise_dim),  # type: ignore[arg-type, union-attr]
        training=provenance(run, loaded.step, records),
        scorer={"kind": PLAIN, "settings": asdict(ScorerSettings(dim))} if ranks else None,
    )


def read_notes(place: Path) -> str:
    """Read the notes for the card; raises `RunError` if they cannot be read."""
    try:
        return place.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"no notes at {place}: {error}") from error


def provenance(run: RunDir, step: int, records: Sequence[DataRecord]) -> dict[str, Any]:
    """Return where the weights come from, without paths."""
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
