"""`captionfill-train prepare`."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from training.common.console import stage_progress

SourceName = Literal["flickr8k", "coco", "tiny-imagenet", "cifar10", "mnist", "celeba", "folder"]


def prepare(
    layout: Annotated[SourceName, Argument(help="The upstream layout of SOURCE.")],
    source: Annotated[Path, Argument(help="Folder or archive, as published.")],
    out: Annotated[Path, Argument(help="Folder to write; must be empty or absent.")],
    size: Annotated[
        int, Option(min=32, max=4096, help="Side of the images; over 64 for crops.")
    ] = 64,
    encoder: Annotated[
        str | None, Option(help="sentence-transformers model name or folder.")
    ] = None,
    limit: Annotated[int | None, Option(min=1, help="Most images per split.")] = None,
    shard_images: Annotated[int, Option(min=1, help="Most images per shard.")] = 5000,
) -> None:
    """Read a captioned data set, resize it, embed its captions, and write sharded Parquet.

    Images that cannot be read are named, counted and skipped. The result loads with Hugging Face
    datasets: load_dataset("OUT").
    """
    from models.captions import DEFAULT_ENCODER
    from training.data.prepare import prepare as run

    with stage_progress() as progress:
        manifest = run(
            layout,
            source,
            out,
            size=size,
            encoder=encoder or DEFAULT_ENCODER,
            limit=limit,
            shard_images=shard_images,
            progress=progress,
        )
    counts = ", ".join(f"{name}: {count['images']:,}" for name, count in manifest.splits.items())
    typer.echo(f"{out}: {counts} images; {len(manifest.passed_over)} skipped")
