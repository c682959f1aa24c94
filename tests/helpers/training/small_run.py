"""A prepared folder and a recipe, small enough to train in seconds."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from training.config.load import load_recipe
from training.data.manifest import Manifest, file_digest, overall_digest
from training.data.memory_dataset import shard_schema

DIM = 8
COUNT = 24
ROW_GROUP = 6
SMALL = [
    "run.steps=6",
    "run.batch_size=4",
    "run.log_every=1",
    "run.sample_every=3",
    "run.checkpoint_every=2",
    "generator.settings={ caption_code = 4, noise_dim = 4, width = 8, decoder_width = 4 }",
    "discriminator.settings={ caption_code = 4, width = 4 }",
    "augment.rotate=0.5",
    'engine={ device = "cpu", precision = "fp32" }',
]


def small_recipe(*more):
    """The first system, shrunk; every feature of it is on."""
    return load_recipe("inpaint-gan", [*SMALL, *more])


def random_png(seed):
    coarse = torch.randint(256, (6, 6, 3), generator=torch.Generator().manual_seed(seed))
    buffer = io.BytesIO()
    Image.fromarray(coarse.byte().numpy()).resize((66, 66)).save(buffer, "PNG")
    return buffer.getvalue()


def write_prepared(
    folder, captions=("a red thing", "the left one"), count=COUNT, row_group=ROW_GROUP
):
    """Write what `prepare` would have written for `count` made-up pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = torch.Generator().manual_seed(0)
    pngs = [random_png(i) for i in range(min(count, COUNT))]
    rows = [
        {
            "image": {"bytes": pngs[i % COUNT], "path": f"{i}.png"},
            "file_name": f"{i}.png",
            "label": "",
            "captions": [f"{c} {i}" for c in captions],
            "caption_vectors": torch.randn(len(captions), DIM, generator=rng).half().numpy(),
        }
        for i in range(count)
    ]
    rows = [{**row, "caption_vectors": row["caption_vectors"].tolist()} for row in rows]
    shard = folder / "train-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=shard_schema(DIM)), shard, row_group)
    shards = {shard.name: file_digest(shard)}
    counts = {"train": {"images": count, "captions": count * len(captions)}}
    Manifest(
        version="0",
        source="folder",
        size=66,
        encoder="test",
        encoder_fingerprint="sha256:test",
        caption_dim=DIM,
        distinct_captions=count * len(captions),
        splits=counts,
        passed_over=[],
        shards=shards,
        digest=overall_digest(shards),
    ).save(folder)
    return folder
