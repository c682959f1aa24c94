"""Prepared pictures that are the colour their captions say, in a training and a held-out split."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from training.data.manifest import Manifest, file_digest, overall_digest
from training.data.memory_dataset import load_split, shard_schema
from training.experiments.captions.word_swaps import RGB

COLOURS = ("red", "blue", "green", "white", "black")
COUNTS = {"train": 50, "dev": 20}


def encode(captions):
    """A made-up encoder: the vector of a caption is the colour it says, nothing where none."""
    rows = [
        next((RGB[w] for w in text.lower().split() if w in RGB), (0, 0, 0)) for text in captions
    ]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 3) / 255


def picture(split, number):
    """A coarse picture tinted in its colour, as PNG."""
    rng = torch.Generator().manual_seed(1000 * len(split) + number)
    tint = torch.tensor(RGB[COLOURS[number % len(COLOURS)]])
    coarse = tint + torch.randint(-20, 21, (6, 6, 3), generator=rng)
    buffer = io.BytesIO()
    image = Image.fromarray(coarse.clamp(0, 255).byte().numpy()).resize((66, 66))
    image.save(buffer, "PNG")
    return buffer.getvalue()


def captions(number):
    return [f"picture {number}", f"a {COLOURS[number % len(COLOURS)]} dog"]


def write_coloured(folder, embed=encode, name="made up", fingerprint="sha256:test"):
    """Write what `prepare` would have written."""
    folder.mkdir(parents=True, exist_ok=True)
    shards, counts, dim = {}, {}, embed(["red"]).shape[1]
    for split, count in COUNTS.items():
        rows = [
            {
                "image": {"bytes": picture(split, i), "path": f"{i}.png"},
                "file_name": f"{split}-{i}.png",
                "label": "",
                "captions": captions(i),
                "caption_vectors": embed(captions(i)).half().numpy().tolist(),
            }
            for i in range(count)
        ]
        shard = folder / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=shard_schema(dim)), shard)
        shards[shard.name] = file_digest(shard)
        counts[split] = {"images": count, "captions": 2 * count}
    digest = overall_digest(shards)
    Manifest("0", "folder", 66, name, fingerprint, dim, 7, counts, [], shards, digest).save(folder)
    return folder


@pytest.fixture(scope="session")
def coloured(tmp_path_factory):
    return write_coloured(tmp_path_factory.mktemp("coloured"))


@pytest.fixture(scope="session")
def held_out(coloured):
    return load_split(coloured, "dev")


@pytest.fixture(scope="session")
def train(coloured):
    return load_split(coloured, "train")
