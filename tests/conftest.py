"""Fixtures for all tests: the real data, and a folder of five captioned pictures."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.images import encode_image, noise_image

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_configure():
    """Let SIGINT work in the processes that tests start, also where this one was told to ignore it.

    A shell starts background commands with SIGINT ignored, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


CAPTIONS = {
    "red.png": ["a red square", "a picture that is red"],
    "green.jpg": ["a green field"],
    "blue.webp": ["the blue sea"],
    "grey.bmp": ["grey stones"],
    "noise.png": ["coloured noise"],
}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder holding flickr8k/, tiny-imagenet-200/ and cifar10/."""
    place = os.environ.get("CAPTIONFILL_DATA", "")
    if place and Path(place).is_dir():
        return Path(place)
    reason = f"CAPTIONFILL_DATA names no folder ({place or 'unset'}): the real data are needed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def draw_picture(path: Path, seed: int, width: int = 90, height: int = 72) -> Path:
    """Write a smooth coloured picture, in the format that the suffix says."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def noise():
    """Make an image of seeded noise."""
    return noise_image


@pytest.fixture
def encode():
    """Encode an image to bytes."""
    return encode_image


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """Five pictures of several formats with captions in metadata.jsonl."""
    folder = tmp_path / "pictures"
    for seed, name in enumerate(CAPTIONS):
        draw_picture(folder / name, seed)
    rows = [{"file_name": name, "captions": texts} for name, texts in CAPTIONS.items()]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of random weights, small enough to fill in a few milliseconds."""
    return write_bundle(tmp_path_factory.mktemp("bundle"), "tiny")


@pytest.fixture(scope="session")
def scored_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one, which can tell how well its fills fit their captions."""
    return write_bundle(tmp_path_factory.mktemp("scored"), "scored", scored=True)


def write_bundle(
    folder: Path, name: str, *, scored: bool = False, seed: int = 0, onnx: bool = True
) -> Path:
    """Write a bundle of random weights."""
    import torch

    from models.captions import CaptionEncoder
    from models.frozen.scorers import SCORERS
    from models.generators import GENERATORS
    from models.runtime.bundle_files import BundleConfig
    from tests.helpers.bundles import save_bundle

    settings: dict[str, object] = {
        "width": 8,
        "decoder_width": 8,
        "caption_code": 16,
        "noise_dim": 8,
    }
    scorer_settings: dict[str, object] = {"width": 4, "code": 8}
    scorer = {"kind": "plain", "settings": scorer_settings}
    encoder = CaptionEncoder.load()
    config = BundleConfig(
        name=name,
        generator="inpaint",
        settings=settings,
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        caption_dim=encoder.dimension,
        noise_dim=8,
        training={},
        scorer=scorer if scored else None,
    )
    torch.manual_seed(seed)
    generator = GENERATORS["inpaint"](settings)
    judge = SCORERS["plain"](scorer_settings) if scored else None
    save_bundle(folder, generator, config, f"# {name}", judge, onnx=onnx)
    return folder
