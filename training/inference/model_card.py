"""Model cards of bundles, with the metadata that the Hugging Face Hub reads."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from models.runtime.bundle_files import CARD, BundleConfig
from training.common.errors import EvaluationError
from training.data.dataset_card import DATA_TERMS

DEFAULT_NOTES = """## What it is not for

Small pictures and little training make blurry fills. Do not take a fill for what was there, do not
use it to alter pictures of people so as to deceive, and do not expect faces, text or fine detail.
""".strip()


def model_card(config: BundleConfig, notes: str = DEFAULT_NOTES) -> str:
    """Return the card of a bundle, without evaluations (see `add_evaluations`)."""
    training = config.training
    data = "\n".join(
        f"- {d['source']}: {d['train']['images']:,} images, {d['train']['captions']:,} captions "
        f"(`{d['digest']}`)"
        for d in training["data"]
    )
    terms = "\n".join(f"- {DATA_TERMS.get(d['source'], d['source'])}" for d in training["data"])
    return f"""---
{card_metadata(config).to_yaml()}
---

# {config.name}

{training["recipe"]["description"]}. Fills the hidden 32×32 centre of a 64×64 image from its
surroundings and a caption; made by `captionfill-train export`.

## Network

`{config.generator}` with {json.dumps(config.settings)}; caption vectors from `{config.encoder}`.

## Data

{data}

## Terms

{terms}

A bundle trained on data with such terms may be used within them only.

{notes}

## Training

{training["steps"]:,} steps, {training["pictures_seen"]:,} images seen; code
`{training["revision"]}`. The whole recipe is in `config.json`.
{recipe_changes(training["changes"])}{init_bundles(training.get("begun_with"))}"""


def card_metadata(config: BundleConfig) -> ModelCardData:
    """Return the metadata of a bundle's card; its terms are in the text."""
    return ModelCardData(
        language="en",
        library_name="captionfill",
        license="other",
        license_name="terms-of-the-data",
        pipeline_tag="image-to-image",
        tags=["captionfill", "inpainting", "gan", config.generator],
    )


def recipe_changes(changes: list[dict[str, Any]]) -> str:
    """Return the changes of the recipe during the run, a line each."""
    lines = [f"- from step {c['step']:,}: `{'`, `'.join(c['set'])}`" for c in changes]
    return "\n".join(["\nThe recipe was changed during training:\n", *lines, ""]) if lines else ""


def init_bundles(begun_with: dict[str, Any] | None) -> str:
    """Return the bundles that the weights were initialised from, the newest first."""
    lines = []
    while begun_with:
        steps, seen = begun_with["steps"], begun_with["pictures_seen"]
        lines.append(f"- `{begun_with['digest']}`, of {steps:,} steps, {seen:,} images seen")
        begun_with = begun_with.get("begun_with")
    heading = "\nThe generator was initialised from a bundle:\n"
    return "\n".join([heading, *lines, ""]) if lines else ""


def add_evaluations(bundle: Path, digests: Collection[str], evaluations: Sequence[Path]) -> None:
    """Add the tables of evaluations to a bundle's card, and copy their grids beside it.

    Evaluations are JSON files of `evaluate`, with `.md` and `.png` beside them.

    Raises:
        EvaluationError: not an evaluation, or of another bundle, or its table or grid is missing.
    """
    parts = [(bundle / CARD).read_text(encoding="utf-8")]
    for place in evaluations:
        check_digest(place, digests)
        try:
            grid = place.with_suffix(".png").read_bytes()
            table = place.with_suffix(".md").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise EvaluationError(
                f"{place}: the table or grid beside it cannot be read: {error}"
            ) from error
        (bundle / f"{place.stem}.png").write_bytes(grid)
        parts.append(table.replace("\n#", "\n##").replace("# Evaluation", f"## {place.stem}", 1))
        parts.append(f"![first pictures, unpicked]({place.stem}.png)\n")
    (bundle / CARD).write_text("\n".join(parts), encoding="utf-8")


def check_digest(place: Path, digests: Collection[str]) -> None:
    """Check that an evaluation is of the bundle with one of these digests."""
    try:
        found = [*json.loads(place.read_text(encoding="utf-8"))["about"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{place}: not an evaluation: {error}") from error
    if not set(digests) & set(found):
        names = " or ".join(f"{digest[:19]}…" for digest in sorted(digests))
        raise EvaluationError(f"{place}: an evaluation of another bundle, not of {names}")
