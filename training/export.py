"""Export a run as a bundle: the averaged generator, its config and a model card."""

import json
from pathlib import Path
from typing import Any

from models.bundle import BundleConfig, save_bundle
from training.checkpoint import load_checkpoint
from training.errors import RunError
from training.manifest import Manifest
from training.players import build_players, pick_device
from training.recipe import as_table
from training.rundir import RECORD, RunDir

TERMS = {
    "flickr8k": "Flickr8k (Hodosh, Young, Hockenmaier 2013): non-commercial research and education",
    "tiny-imagenet": "Tiny ImageNet (Stanford CS231n): non-commercial research and education",
    "coco": "MS-COCO: captions CC BY 4.0; pictures under their own Flickr licences",
    "cifar10": "CIFAR-10 (Krizhevsky 2009): no licence is stated; cite the technical report",
    "mnist": "MNIST (LeCun, Cortes, Burges): CC BY-SA 3.0",
    "celeba": "CelebA (Liu, Luo, Wang, Tang 2015): non-commercial research",
    "folder": "the user's own pictures: their terms apply",
}


def export(folder: Path, bundle: Path, name: str | None = None) -> str:
    """Write a run's newest checkpoint as a bundle.

    Args:
        folder: of the run.
        bundle: folder to write; an older bundle in it is replaced.
        name: what to call it; the recipe's name by default.

    Returns:
        The bundle's digest.

    Raises:
        RunError: no run or no checkpoint there, or of a system that fills no hole.
        PreparedDataError: the data's manifests, which say what to put on the card, are gone.
    """
    run = RunDir.open(folder)
    if run.recipe.picture.hole == "all":
        raise RunError(f"{folder}: {run.recipe.name} makes whole pictures and fills no hole")
    manifests = [Manifest.load(Path(place)) for place in run.data]
    step, state = load_checkpoint(run.checkpoints)
    players = build_players(run.recipe, manifests[0].caption_dim, pick_device(run.recipe.engine))
    players.load_state_dict(state)
    generator = players.for_inference
    config = BundleConfig(
        name=name or run.recipe.name,
        generator=run.recipe.generator.kind,
        settings={"caption_dim": manifests[0].caption_dim, **run.recipe.generator.settings},
        encoder=manifests[0].encoder,
        encoder_fingerprint=manifests[0].encoder_fingerprint,
        caption_dim=manifests[0].caption_dim,
        noise_dim=int(generator.settings.noise_dim),  # type: ignore[arg-type, union-attr]
        training=provenance(run, step, manifests),
    )
    return save_bundle(bundle, generator, config, model_card(config))


def provenance(run: RunDir, step: int, manifests: list[Manifest]) -> dict[str, Any]:
    """Return where the weights come from, without a path of the machine they were made on."""
    record = json.loads((run.folder / RECORD).read_text(encoding="utf-8"))
    data = [{"source": m.source, "digest": m.digest, "train": m.splits["train"]} for m in manifests]
    return {
        "recipe": as_table(run.recipe),
        "changes": list(run.changes),
        "steps": step,
        "pictures_seen": step * run.recipe.run.batch_size * run.recipe.optimizers.critic_steps,
        "data": data,
        "revision": record["revision"],
        "libraries": record["libraries"],
    }


def model_card(config: BundleConfig) -> str:
    """Write the card that goes with a bundle; figures are added by whoever measures them."""
    training = config.training
    data = "\n".join(
        f"- {d['source']}: {d['train']['images']:,} pictures, {d['train']['captions']:,} captions "
        f"(`{d['digest']}`)"
        for d in training["data"]
    )
    terms = "\n".join(f"- {TERMS.get(d['source'], d['source'])}" for d in training["data"])
    return f"""# {config.name}

{training["recipe"]["description"]}. Fills the hidden 32×32 centre of a 64×64 picture from its
surroundings and a caption; made by `captionfill-train export`.

## Network

`{config.generator}` with {json.dumps(config.settings)}; caption vectors from `{config.encoder}`.

## Data

{data}

## Terms

{terms}

A bundle trained on data with such terms may be used within them only.

## Training

{training["steps"]:,} steps, {training["pictures_seen"]:,} pictures seen; code
`{training["revision"]}`. The whole recipe is in `config.json`.
"""
