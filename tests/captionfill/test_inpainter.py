import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from captionfill import Inpainter
from captionfill.errors import (
    InvalidCaption,
    InvalidField,
    InvalidRegion,
    PictureTooSmall,
    StartError,
    UnsupportedPicture,
)
from captionfill.imaging.canvas import Canvas
from captionfill.windows import WindowRequest
from models.runtime.bundle import load_bundle
from models.runtime.torch_engine import TorchEngine


@pytest.fixture(scope="module")
def inpainter(tiny_bundle):
    return Inpainter.load(tiny_bundle, "cpu")


@pytest.fixture(scope="module")
def scored(scored_bundle):
    return Inpainter.load(scored_bundle, "cpu")


def request(seed, count=1, caption="a cat", **options):
    window = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    return WindowRequest(window, caption, range(seed, seed + count), **options)


def same(one, other):
    return (
        np.array_equal(one.fills, other.fills)
        and np.array_equal(one.compared, other.compared)
        and (one.seeds, one.scores) == (other.seeds, other.scores)
    )


def test_a_batch_gives_what_each_gets_alone(inpainter):
    requests = [request(seed, caption=f"picture {seed % 3}") for seed in range(6)]
    batch = inpainter.fill_windows(requests)
    assert all(
        same(one, inpainter.fill_windows([alone])[0])
        for one, alone in zip(batch, requests, strict=True)
    )


@pytest.fixture
def as_one_tensor(inpainter, monkeypatch):
    """The inpainter as on a GPU, where a batch is one tensor."""

    class Together(TorchEngine):
        def _rows_at_once(self, count):
            return count

    monkeypatch.setattr(inpainter, "engine", Together(load_bundle(inpainter.engine.bundle.folder)))


def levels(made):
    return np.concatenate([one.fills for one in made]).astype(int)


def test_one_tensor_differs_by_one_level(tiny_bundle, inpainter, as_one_tensor):
    requests = [request(seed, count=2) for seed in range(4)]
    alone = Inpainter.load(tiny_bundle, "cpu", "torch").fill_windows(requests)
    assert abs(levels(alone) - levels(inpainter.fill_windows(requests))).max() <= 1


def test_a_candidate_depends_on_its_own_seed(inpainter):
    window = request(5).windows
    three, last = inpainter.fill_windows(
        [WindowRequest(window, "a cat", [5, 6, 7]), WindowRequest(window, "a cat", [7])]
    )
    assert np.array_equal(three.fills[2], last.fills[0])
    assert not np.array_equal(three.fills[0], last.fills[0])


def test_seed_and_caption_each_change_the_fill(inpainter):
    window = request(1).windows
    requests = [
        WindowRequest(window, words, [seed]) for words, seed in [("a", 1), ("a", 2), ("dog run", 1)]
    ]
    assert len({one.fills.tobytes() for one in inpainter.fill_windows(requests)}) == 3


def test_temperature_0_makes_equal_candidates(inpainter):
    window = request(1).windows
    cold, drawn = inpainter.fill_windows(
        [WindowRequest(window, "a", [1, 2], temperature=0), WindowRequest(window, "a", [1])]
    )
    assert np.array_equal(cold.fills[0], cold.fills[1])
    assert not np.array_equal(cold.fills[0], drawn.fills[0])
    assert same(drawn, inpainter.fill_windows([WindowRequest(window, "a", [1])])[0])


def test_a_second_caption_uses_the_same_seeds(inpainter):
    compared, alone = inpainter.fill_windows(
        [request(5, 2, "a cat", compare="two dogs run"), request(5, 2, "two dogs run")]
    )
    assert np.array_equal(compared.compared, alone.fills)
    assert not np.array_equal(compared.fills, alone.fills)


def test_truncated_captions_are_reported(inpainter):
    long = " ".join(["word"] * 400)
    requests = [request(1), request(1, caption=long), request(1, compare=long)]
    assert [one.truncated for one in inpainter.fill_windows(requests)] == [False, True, True]


def test_unknown_captions_are_reported(inpainter):
    requests = [request(1), request(1, caption="\U0001f408"), request(1, compare="\u200b")]
    assert [one.unknown for one in inpainter.fill_windows(requests)] == [False, True, True]


def test_without_scorer_candidates_follow_their_seeds(inpainter):
    [made] = inpainter.fill_windows([request(5, 3)])
    assert (made.seeds, made.scores) == ([5, 6, 7], [])


def test_single_fill_is_scored_only_where_asked_for(scored):
    asked, unasked, several = scored.fill_windows(
        [request(5), replace(request(5), scored=False), replace(request(5, 2), scored=False)]
    )
    assert [len(one.scores) for one in (asked, unasked, several)] == [1, 0, 2]
    assert np.array_equal(asked.fills, unasked.fills)


def test_with_scorer_the_best_comes_first(scored):
    [made] = scored.fill_windows([request(5, 6, compare="two dogs")])
    assert made.scores == sorted(made.scores, reverse=True)
    assert sorted(made.seeds) == [5, 6, 7, 8, 9, 10] != made.seeds


def test_ranking_keeps_seeds_fills_and_pairs(scored):
    window = request(5).windows
    [ranked] = scored.fill_windows([request(5, 4, compare="two dogs")])
    for place, seed in enumerate(ranked.seeds):
        [alone] = scored.fill_windows([WindowRequest(window, "a cat", [seed], "two dogs")])
        assert np.array_equal(ranked.fills[place], alone.fills[0])
        assert np.array_equal(ranked.compared[place], alone.compared[0])


def test_engine_threads_change_no_bit(scored_bundle):
    requests = [request(seed, count=2, caption=f"picture {seed}") for seed in range(5)]
    one, three = (Inpainter.load(scored_bundle, "cpu", threads=threads) for threads in (1, 3))
    pairs = zip(one.fill_windows(requests), three.fill_windows(requests), strict=True)
    assert all(same(*pair) for pair in pairs)


def test_torch_threads_are_restored(tiny_bundle):
    torch.set_num_threads(2)
    try:
        Inpainter.load(tiny_bundle, "cpu", "torch").fill_windows([request(1)])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_the_result_names_its_engine(tiny_bundle, inpainter):
    assert inpainter.engine.name.startswith("openvino-")
    assert Inpainter.load(tiny_bundle, "cpu", "torch").engine.name == "torch"


def test_a_missing_bundle_is_one_clear_line(tmp_path):
    with pytest.raises(StartError, match="no bundle at") as caught:
        Inpainter.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_device_is_one_clear_line(tiny_bundle):
    with pytest.raises(StartError):
        Inpainter.load(tiny_bundle, "nonsense")


def test_a_missing_engine_is_one_clear_line(tiny_bundle, monkeypatch):
    monkeypatch.setattr("models.runtime.engines.is_installed", lambda: False)
    with pytest.raises(StartError, match="engine 'openvino' needs the package openvino"):
        Inpainter.load(tiny_bundle, "cpu", "openvino")


class SmallMemory(TorchEngine):
    """Has memory for a few images at a time; records the batch sizes."""

    def __init__(self, bundle, limit):
        super().__init__(bundle)
        self.limit, self.batches = limit, []

    def fill(self, pixels, *columns):
        self.batches.append(len(pixels))
        if len(pixels) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().fill(pixels, *columns)


def test_a_batch_without_memory_is_halved(inpainter, monkeypatch):
    requests = [request(seed, count=2) for seed in range(3)]
    bundle = load_bundle(inpainter.engine.bundle.folder)
    monkeypatch.setattr(inpainter, "engine", TorchEngine(bundle))
    whole = inpainter.fill_windows(requests)
    small = SmallMemory(bundle, 2)
    monkeypatch.setattr(inpainter, "engine", small)
    halved = inpainter.fill_windows(requests)
    assert all(same(one, other) for one, other in zip(whole, halved, strict=True))
    assert small.batches == [6, 3, 1, 2, 3, 1, 2]


@pytest.fixture
def image(noise):
    return noise(120, 100)


def test_all_forms_of_an_image_are_equal(inpainter, image, encode, tmp_path):
    image.save(tmp_path / "image.png")
    forms = [image, encode(image), tmp_path / "image.png", str(tmp_path / "image.png")]
    forms.append(Canvas.open(image))
    made = [inpainter.fill(form, "a cat", seed=3) for form in forms]
    assert len({one.candidates[0].png() for one in made}) == 1


def test_only_the_region_changes(inpainter, image):
    result = inpainter.fill(image, "a cat", region=(10, 20, 30, 40), seed=3)
    before, after = np.asarray(image), np.asarray(result.image)
    changed = (before != after).any(-1)
    assert result.region == (10, 20, 30, 40) and changed[20:60, 10:40].any()
    changed[20:60, 10:40] = False
    assert not changed.any()


def test_only_transparent_pixels_of_a_mask_change(inpainter, image):
    alpha = np.full((image.height, image.width), 255, np.uint8)
    alpha[40:60, 50:80] = 0
    masked = image.copy()
    masked.putalpha(Image.fromarray(alpha))
    result = inpainter.fill(image, "a cat", mask=masked, seed=3)
    changed = (np.asarray(image) != np.asarray(result.image)).any(-1)
    assert changed.any() and not changed[alpha > 0].any()


def strip_mask(image):
    mask = np.zeros((image.height, image.width), np.uint8)
    mask[30:50, :] = 255
    return mask


def test_windows_of_a_mask_are_filled_alone(scored, image):
    canvas = Canvas.open(image, mask=strip_mask(image))
    [made] = scored.fill_windows([WindowRequest(canvas.windows, "a cat", [5, 6], "a dog")])
    parts = [
        scored.fill_windows([WindowRequest(window, "a cat", [5, 6], "a dog")])[0]
        for window in canvas.windows
    ]
    assert len(parts) > 1 and len(made.fills) == len(made.compared) == 2 * len(parts)
    for place, seed in enumerate(made.seeds):
        for number, part in enumerate(parts):
            alone = part.seeds.index(seed)
            assert np.array_equal(made.fills[place * len(parts) + number], part.fills[alone])
            assert np.array_equal(made.compared[place * len(parts) + number], part.compared[alone])
    mean = np.mean([part.scores[part.seeds.index(made.seeds[0])] for part in parts])
    assert made.scores[0] == pytest.approx(mean, abs=2e-6)


def test_masks_are_deterministic_per_seed(inpainter, image):
    first, again, other = (
        inpainter.fill(image, "a cat", mask=strip_mask(image), seed=seed).candidates[0].png()
        for seed in (5, 5, 6)
    )
    assert first == again != other


def test_seeds_of_candidates_count_up(inpainter, image):
    result = inpainter.fill(image, "a cat", seed=2**32 - 1, n=2)
    assert [one.seed for one in result.candidates] == [2**32 - 1, 0]
    alone = inpainter.fill(image, "a cat", seed=0)
    assert result.candidates[1].png() == alone.candidates[0].png()


def test_a_random_seed_can_be_used_again(inpainter, image):
    first = inpainter.fill(image, "a cat")
    again = inpainter.fill(image, "a cat", seed=first.candidates[0].seed)
    assert first.candidates[0].png() == again.candidates[0].png()


def test_candidates_carry_scores(scored, image):
    scores = [one.score for one in scored.fill(image, "a cat", seed=1, n=3).candidates]
    assert scores == sorted(scores, reverse=True) and None not in scores


def test_a_result_is_saved_as_png(inpainter, image, tmp_path):
    result = inpainter.fill(image, "a cat", seed=1)
    result.save(tmp_path / "filled.png")
    saved = Image.open(tmp_path / "filled.png")
    assert saved.format == "PNG" and np.array_equal(np.asarray(saved), np.asarray(result.image))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"caption": " "}, InvalidCaption),
        ({"region": (0, 0, 1, 1)}, InvalidRegion),
        ({"region": (-5, 0, 20, 20)}, InvalidRegion),
        ({"seed": -1}, InvalidField),
        ({"seed": 2**32}, InvalidField),
        ({"n": 0}, InvalidField),
        ({"temperature": 1.5}, InvalidField),
        ({"image": b"text"}, UnsupportedPicture),
        ({"image": Image.new("RGB", (63, 80))}, PictureTooSmall),
        ({"image": Image.new("HSV", (80, 80))}, UnsupportedPicture),
    ],
)
def test_a_bad_argument_is_refused(inpainter, image, options, kind):
    with pytest.raises(kind):
        inpainter.fill(**{"image": image, "caption": "a cat", **options})


def test_a_broken_pillow_image_is_refused(inpainter, image, encode):
    broken = Image.open(io.BytesIO(encode(image)[:5000]))
    with pytest.raises(UnsupportedPicture):
        inpainter.fill(broken, "a cat")


LAZY = """
import sys
import captionfill, captionfill.captions, captionfill.windows
import captionfill.imaging.canvas
heavy = {"torch", "models", "sentence_transformers"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_the_package_imports_without_torch():
    subprocess.run([sys.executable, "-c", LAZY], check=True)


def test_the_package_imports_in_two_tenths():
    """The quickest of three, in CPU seconds, which other load does not change."""
    code = (
        "import time; start = time.process_time(); import captionfill; "
        "print(time.process_time() - start)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.2, times


PHOTO = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)


def test_arrays_and_pillow_images_are_equal(inpainter):
    of_array = inpainter.fill(PHOTO, "a cat", seed=1)
    of_image = inpainter.fill(Image.fromarray(PHOTO), "a cat", seed=1)
    assert of_array.candidates[0].png() == of_image.candidates[0].png()


@pytest.mark.parametrize("array", [PHOTO.astype(float), PHOTO[..., 0], PHOTO[..., :2]])
def test_an_array_of_another_kind_is_refused(inpainter, array):
    with pytest.raises(UnsupportedPicture, match="must be uint8"):
        inpainter.fill(array, "a cat")


def test_a_list_is_filled_as_each_image_alone(inpainter):
    photos = [PHOTO, PHOTO[::-1].copy()]
    made = inpainter(photos, ["a cat", "a dog"], seed=3, n=2)
    alone = [
        inpainter(photo, text, seed=3, n=2)
        for photo, text in zip(photos, ["a cat", "a dog"], strict=True)
    ]
    assert [one.candidates[1].png() for one in made] == [one.candidates[1].png() for one in alone]
    assert [one.seeds for one in inpainter(photos, "a cat", seed=3)] == [[3], [3]]


@pytest.mark.parametrize(("image", "caption"), [([PHOTO], ["a", "b"]), (PHOTO, ["a"])])
def test_lists_of_other_lengths_are_refused(inpainter, image, caption):
    with pytest.raises((TypeError, ValueError), match=r"one image|zip"):
        inpainter(image, caption)


def test_a_second_caption_gives_other_images(scored):
    made = scored(PHOTO, "a cat", compare="two dogs run", seed=5, n=3)
    alone = scored(PHOTO, "two dogs run", seed=5, n=3)
    expected = dict(zip(alone.seeds, (image.tobytes() for image in alone.images), strict=True))
    assert [image.tobytes() for image in made.others] == [expected[seed] for seed in made.seeds]
    assert made.scores == sorted(made.scores, reverse=True) and alone.others == []
    assert len(made.images) == 3


def test_an_inpainter_moves_between_devices(tiny_bundle):
    moved = Inpainter.from_pretrained(tiny_bundle, "cpu", "torch")
    before = moved(PHOTO, "a cat", seed=5).candidates[0].png()
    assert moved.to("cpu") is moved and moved.engine.name == "torch"
    assert moved(PHOTO, "a cat", seed=5).candidates[0].png() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device that must be missing is there")
def test_moving_to_a_missing_device_is_refused(tiny_bundle):
    with pytest.raises(StartError):
        Inpainter.load(tiny_bundle, "cpu").to("cuda")


@pytest.mark.parametrize("detail", ["none", "surroundings"])
def test_detail_is_of_the_call_or_the_canvas(inpainter, noise, detail):
    canvas = Canvas.open(noise(150, 150), detail=detail)
    one = inpainter.fill(noise(150, 150), "a cat", seed=1, detail=detail).candidates[0]
    two = inpainter.fill(canvas, "a cat", seed=1).candidates[0]
    other = "none" if detail == "surroundings" else "surroundings"
    three = inpainter.fill(canvas, "a cat", seed=1, detail=other).candidates[0]
    assert one.png() == two.png() != three.png()
