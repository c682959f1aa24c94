"""`captionfill fill` loses no picture: neither an input nor a filled one."""

import json

import pytest
from PIL import Image

from captionfill.errors import StartError
from service.cli.folder import output_places
from service.cli.offline import check_no_input


def names(folder, *photos):
    places = output_places(folder, [folder / photo for photo in photos], folder.parent / "out")
    return [str(place.relative_to(folder.parent / "out")) for place in places]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_images_with_colliding_output_names_keep_their_suffixes(folder):
    got = names(folder, "a.jpg", "a.png", "b.jpg", "c/a.jpg", "D.jpg", "d.webp")
    assert got == ["a.jpg.png", "a.png.png", "b.png", "c/a.png", "D.jpg.png", "d.webp.png"]


def test_what_would_still_get_one_name_is_refused(folder):
    with pytest.raises(StartError, match=r"2 filled pictures would be called .*a\.jpg\.png"):
        names(folder, "a.jpg", "a.png", "a.jpg.gif")


def test_a_picture_that_is_named_twice_is_refused(folder):
    with pytest.raises(StartError, match=r"a\.jpg is named 2 times"):
        names(folder, "a.jpg", "b.jpg", "./a.jpg")


@pytest.mark.parametrize("output", ["in", "in/filled", "link", "in/../in"])
def test_the_folder_of_the_pictures_is_no_output(folder, output):
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(StartError, match="is the folder of the pictures or in it"):
        output_places(folder, [folder / "a.png"], folder.parent / output)


def test_an_output_that_is_an_input_is_refused(folder):
    inner = folder / "x"
    with pytest.raises(StartError, match="is one of the pictures"):
        output_places(inner, [inner / "x" / "a.png", inner / "a.png"], folder)


@pytest.mark.parametrize("kind", ["itself", "symbolic link", "hard link"])
def test_a_picture_does_not_replace_itself(tmp_path, kind):
    photo, output = tmp_path / "a.png", tmp_path / ("a.png" if kind == "itself" else "b.png")
    photo.write_bytes(b"a picture")
    if kind == "symbolic link":
        output.symlink_to(photo)
    elif kind == "hard link":
        output.hardlink_to(photo)
    with pytest.raises(StartError, match="is the picture itself"):
        check_no_input(photo, output)


@pytest.fixture
def no_model(monkeypatch):
    """Fail where a model would be loaded: everything is checked before."""
    monkeypatch.setattr("service.worker.predictor.Predictor.load", lambda *_: pytest.fail("loaded"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["PHOTO", "a cat", "-o", "PHOTO"], "is the picture itself"),
        (["PHOTO", "a cat", "-o", "."], "cannot be written: Is a directory"),
        (["PHOTO", "a cat", "-o", "PHOTO/x.png"], "is a file"),
        (["FOLDER", "-o", "FOLDER"], "is the folder of the pictures"),
        (["FOLDER", "-o", "PHOTO"], "or in it"),
        (["FOLDER", "-o", "/proc/none"], "cannot be written"),
    ],
)
def test_fill_refuses_before_any_work(no_model, captionfill, tmp_path, noise, arguments, says):
    folder = tmp_path / "in"
    folder.mkdir()
    noise(64, 64).save(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "caption": "a cat"}')
    before = (folder / "a.png").read_bytes()
    places = {"PHOTO": str(folder / "a.png"), "FOLDER": str(folder)}
    made = [places.get(a) or a.replace("PHOTO", places["PHOTO"]) for a in arguments]
    status, printed = captionfill("fill", *made)
    assert status == 1 and says in printed.err
    assert len(printed.err.splitlines()) == 1
    assert (folder / "a.png").read_bytes() == before


def test_fill_keeps_images_that_differ_only_in_suffix(captionfill, tiny_bundle, tmp_path, noise):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    rows = []
    for name, seed in (("a.png", 1), ("a.bmp", 2), ("a.webp", 3)):
        noise(64 + seed, 64).save(folder / name)
        rows.append(json.dumps({"file_name": name, "caption": "a cat"}))
    (folder / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8-sig")
    captionfill("fill", folder, "-o", out, "--bundle", tiny_bundle)
    sizes = {path.name: Image.open(path).width for path in out.iterdir()}
    assert sizes == {"a.png.png": 65, "a.webp.png": 67}  # BMP is no input of the service
