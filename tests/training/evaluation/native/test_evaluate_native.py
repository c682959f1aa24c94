"""`evaluate --native` on photos of noise: files, figures, and plain patches."""

import json
from unittest.mock import ANY

import numpy as np
import pytest
from PIL import Image

from models.runtime.bundle_files import DEFAULT_BUNDLE
from tests.helpers.images import noise_pixels
from training.common.errors import EvaluationError, OutputError
from training.evaluation.evaluate import EvaluationSettings
from training.evaluation.methods import TELEA
from training.evaluation.native import evaluate as native
from training.evaluation.native.methods import INTERPOLATED, METHODS, REAL, SURROUNDINGS
from training.evaluation.native.photos import plain_patches, read_photos

SETTINGS = EvaluationSettings(engine="torch")


def save_photos(folder, count=3, size=(96, 80)):
    folder.mkdir(parents=True)
    rows = []
    for i in range(count):
        small = Image.fromarray(noise_pixels(12, 12, seed=i))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i}.png")
        rows.append(json.dumps({"file_name": f"{i}.png", "caption": f"photo {i}"}))
    (folder / "metadata.jsonl").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of an evaluation, and where it was written; without KID, which takes seconds."""
    place = tmp_path_factory.mktemp("native")
    photos, out = save_photos(place / "photos"), place / "out.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "load_extractor", lambda: None)
        other = save_photos(place / "b" / "photos", 2)
        text = native.evaluate_native(DEFAULT_BUNDLE, [photos, other], out, SETTINGS)
    return json.loads(out.read_text()), text, out


def test_every_method_is_measured_on_the_same_photos(report):
    table, other = report[0]["sets"]
    assert (table["data"], other["data"], other["photos"]) == (ANY, "b/photos", 2)
    assert table["photos"] == 3 and list(table["methods"]) == [*METHODS, REAL]
    assert table["methods"][REAL]["seam"] == table["methods"][REAL]["detail_of_real"] == 1


def test_surroundings_take_the_edge_away(report):
    methods = report[0]["sets"][0]["methods"]
    assert methods[SURROUNDINGS]["seam"] < methods[INTERPOLATED]["seam"]


def test_table_and_pictures_lie_beside_the_json(report):
    _, text, out = report
    assert out.with_suffix(".md").read_text() == text and f"| {TELEA} |" in text
    assert Image.open(out.with_suffix(".png")).height > 3 * 192


def test_plain_patches_are_the_least_varied(tmp_path):
    photo = noise_pixels(400, 400)
    photo[60:160, 200:300] = 90
    Image.fromarray(photo).save(tmp_path / "0.png")
    Image.fromarray(photo[:64, :64]).save(tmp_path / "1.png")
    rows = [json.dumps({"file_name": f"{i}.png", "caption": "noise"}) for i in range(2)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    patches = plain_patches(read_photos(tmp_path, None), 3)
    hidden = patches[0].canvas.picture.rgb[patches[0].canvas.region.place]
    assert len(patches) == 3 and np.all(hidden == 90)
    assert patches[0].canvas.region[2:] == (48, 48)


def test_a_single_photo_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="at least 2 photos"):
        read_photos(save_photos(tmp_path / "one", 1), None)


def test_output_is_checked_before_the_work(tmp_path):
    with pytest.raises(OutputError):
        native.evaluate_native(DEFAULT_BUNDLE, [], tmp_path / "out.txt", SETTINGS)
