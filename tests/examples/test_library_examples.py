"""The examples that use the library, with the shipped bundle."""

import ast
import importlib.util
import os
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from captionfill import Inpainter

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
CAPTION = "a ginger cat looks into the camera"


def load(path):
    """Import an example by its file."""
    spec = importlib.util.spec_from_file_location(f"example_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photo():
    import skimage.data

    return Image.fromarray(skimage.data.chelsea())


@pytest.fixture(scope="module")
def pipe():
    return Inpainter.from_pretrained("default", "cpu")


def hole(size, box=(150, 80, 250, 180)):
    """A layer of an image editor: painted inside the box, else transparent."""
    layer = Image.new("RGBA", size)
    layer.paste((255, 255, 255, 255), box)
    return layer


def changed(before, after):
    return (np.asarray(before) != np.asarray(after)).any(-1)


@pytest.fixture(scope="module")
def gradio_demo():
    return load(EXAMPLES / "python" / "gradio_demo.py")


def test_the_gradio_demo_fills_what_is_painted(gradio_demo, photo, pipe):
    painted = {"background": photo.convert("RGBA"), "layers": [hole(photo.size)]}
    made = gradio_demo.fill(painted, CAPTION, "", 7)
    assert len(made) == 3 and {caption for _, caption in made} == {CAPTION}
    for image, _ in made:
        difference = changed(photo, image)
        assert difference[80:180, 150:250].any() and difference.sum() <= 100 * 100
    assert len(gradio_demo.fill(painted, CAPTION, "a red flower", 7)) == 6


def test_the_gradio_demo_is_an_interface(gradio_demo):
    kinds = [type(one).__name__ for one in gradio_demo.demo.input_components]
    assert kinds == ["ImageEditor", "Textbox", "Textbox", "Number"]
    assert len(ast.parse((EXAMPLES / "python/gradio_demo.py").read_text()).body) < 10


def test_the_gradio_demo_answers_over_http(gradio_demo, photo, tmp_path):
    """As a browser calls it."""
    from gradio_client import Client, handle_file

    photo.save(tmp_path / "photo.png")
    hole(photo.size).save(tmp_path / "layer.png")
    _, address, _ = gradio_demo.demo.launch(
        server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, allowed_paths=[str(tmp_path)]
    )
    try:
        painted = {
            "background": handle_file(tmp_path / "photo.png"),
            "layers": [handle_file(tmp_path / "layer.png")],
            "composite": None,
        }
        client = Client(address, verbose=False, download_files=str(tmp_path / "answers"))
        made = client.predict(painted, CAPTION, "", 7, api_name="/fill")
    finally:
        gradio_demo.demo.close()
    difference = changed(photo, Image.open(made[0]["image"]).convert("RGB"))
    assert len(made) == 3 and difference[80:180, 150:250].any()


@pytest.fixture(scope="module")
def comfyui():
    return load(EXAMPLES / "comfyui" / "__init__.py")


def to_tensor(photo):
    return torch.from_numpy(np.asarray(photo).copy()) / 255


def test_the_comfyui_node_has_its_interface(comfyui):
    node = comfyui.NODE_CLASS_MAPPINGS["CaptionFill"]
    inputs = node.INPUT_TYPES()
    assert [kind[0] for kind in inputs["required"].values()] == [
        "IMAGE", "MASK", "STRING", "INT", "FLOAT"]  # fmt: skip
    assert callable(getattr(node, node.FUNCTION)) and node.RETURN_TYPES == ("IMAGE",)
    assert comfyui.NODE_DISPLAY_NAME_MAPPINGS.keys() == comfyui.NODE_CLASS_MAPPINGS.keys()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_comfyui_node_fills_a_batch(comfyui, photo, dimensions):
    node = comfyui.NODE_CLASS_MAPPINGS["CaptionFill"]()
    images = torch.stack([to_tensor(photo), to_tensor(photo).flip(1)])
    mask = torch.zeros(photo.height, photo.width)
    mask[80:180, 150:250] = 1
    mask = mask if dimensions == 2 else mask[None]
    [filled] = getattr(node, node.FUNCTION)(images, mask, CAPTION, 7, 1.0)
    assert filled.shape == images.shape and filled.dtype == torch.float32
    difference = ((filled - images).abs() > 1e-6).any(-1)
    assert difference[:, 80:180, 150:250].flatten(1).any(1).all()
    assert not difference[:, mask.reshape(photo.height, photo.width) == 0].any()


def test_the_comfyui_node_fills_as_the_library(comfyui, photo, pipe):
    mask = torch.zeros(1, photo.height, photo.width)
    mask[:, 80:180, 150:250] = 1
    [filled] = comfyui.CaptionFill().fill(to_tensor(photo)[None], mask, CAPTION, 7, 1.0)
    masked = photo.copy()
    masked.putalpha(Image.fromarray(np.where(mask[0] > 0, 0, 255).astype(np.uint8)))
    expected = pipe(photo, CAPTION, mask=masked, seed=7).image
    assert torch.equal((filled[0] * 255).round().byte(), torch.from_numpy(np.array(expected)))


def test_a_data_set_is_filled_row_by_row(photo, pipe, tmp_path):
    example = load(EXAMPLES / "python" / "map_dataset.py")
    small = photo.resize((96, 80))
    small.save(tmp_path / "a.png")
    small.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b.png")
    (tmp_path / "metadata.csv").write_text("file_name,caption\na.png,a cat\nb.png,a dog\n")
    rows = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path), split="train", cache_dir=str(tmp_path / "cache")
    )
    filled = example.fill_dataset(rows, pipe)
    assert [row["filled"].size for row in filled] == [(96, 80)] * 2
    alone = pipe(rows[1]["image"], "a dog", seed=1).image
    assert np.array_equal(np.asarray(filled[1]["filled"].convert("RGB")), np.asarray(alone))
