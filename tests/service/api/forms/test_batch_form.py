import io
import json
from contextlib import nullcontext

import pytest

from captionfill.errors import InvalidCaption, InvalidField, InvalidRegion
from service.api.archives.zip_reader import ZipLimits
from service.api.forms.batch_form import BatchForm, read_batch
from service.api.forms.multipart import FormPart
from service.errors.requests import BatchTooLarge, InvalidArchive, InvalidEntry
from tests.helpers.archives import zip_bytes

LIMITS = ZipLimits(pictures=3, picture_bytes=1000, total_bytes=10_000)


def form(*fields):
    """Parts from names, contents and perhaps file names."""
    spool, parts = io.BytesIO(), []
    for name, data, *filename in fields:
        parts.append(FormPart(name, "".join(filename), spool.tell(), len(data), spool))
        spool.write(data)
    return parts


def test_pictures_and_captions_pair_up_in_their_order():
    parts = form(
        ("image", b"A", "a.png"), ("caption", b"a cat"), ("caption", b"two"), ("image", b"B"),
        ("seed", b"7"),
    )  # fmt: skip
    items, common = read_batch(parts, LIMITS)
    assert [(item.name, item.caption, item.read()) for item in items] == [
        ("a.png", "a cat", b"A"), ("", "two", b"B"),
    ]  # fmt: skip
    assert common == BatchForm(seed=7)


@pytest.mark.parametrize(
    ("archive", "message"), [(b"", "an empty file"), (b"dogs.zip", "-F archive=@dogs.zip")]
)
def test_what_stands_for_a_forgotten_archive_is_named(archive, message):
    with pytest.raises(InvalidArchive, match=message):
        read_batch(form(("archive", archive)), LIMITS)


def test_unset_fields_beside_pictures_count_as_absent():
    unset = [(name, b"") for name in BatchForm.model_fields if name not in ("image", "caption")]
    items, common = read_batch(form(("image", b"A"), ("caption", b"a cat"), *unset), LIMITS)
    assert len(unset) == 8 and len(items) == 1 and common == BatchForm()


def test_unset_fields_beside_an_archive_count_as_absent():
    archive = zip_bytes({"a.png": b"A", "metadata.csv": b"file_name,caption\na.png,a cat\n"})
    unset = [("captions", b""), ("image", b"", "blob"), ("caption", b""), ("seed", b"")]
    items, common = read_batch(form(("archive", archive, "a.zip"), *unset), LIMITS)
    assert [item.caption for item in items] == ["a cat"] and common == BatchForm()


def test_a_batch_keeps_an_empty_caption():
    items, _ = read_batch(form(("image", b"A", "a.png"), ("caption", b"")), LIMITS)
    assert [item.caption for item in items] == [""]


def test_unset_captions_beside_an_archive_count_as_absent():
    archive = zip_bytes({"a.png": b"A", "metadata.csv": b"file_name,caption\na.png,a cat\n"})
    items, _ = read_batch(form(("archive", archive, "a.zip"), ("captions", b"")), LIMITS)
    assert [item.caption for item in items] == ["a cat"]


def test_an_archive_may_have_its_captions_beside_it():
    captions = json.dumps({"a.png": "a cat"}).encode()
    parts = form(
        ("captions", captions),
        ("archive", zip_bytes({"a.png": b"A"})),
        ("seed", b"7"),
        ("region", b"1,2,8,8"),
    )
    [item], common = read_batch(parts, LIMITS)
    request = common.request_for(item)
    assert (request.image, request.caption, request.seed, request.region) == (
        b"A",
        "a cat",
        7,
        "1,2,8,8",
    )


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ([], InvalidField, "archive"),
        ([("image", b"A")], InvalidField, "1 pictures and 0 captions"),
        ([("caption", b"A")], InvalidField, "0 pictures"),
        ([("image", b"A"), ("caption", b"a")] * 4, BatchTooLarge, "at most 3"),
        ([("image", b"A"), ("caption", b"\xff")], InvalidCaption, "UTF-8"),
        ([("image", b"A"), ("archive", b"A")], InvalidField, "either"),
        ([("archive", b"A"), ("archive", b"A")], InvalidField, "one archive"),
        ([("archive", b"A"), ("captions", b"{")], InvalidArchive, "JSON"),
        ([("archive", b"A"), ("captions", b"[" * 10**5)], InvalidArchive, "JSON"),
        ([("archive", b"A"), ("captions", b'{"a": 1}')], InvalidArchive, "object"),
        ([("archive", b"A"), ("n", b"2")], InvalidField, "unknown field 'n'"),
        ([("archive", b"A"), ("seed", b"1"), ("seed", b"2")], InvalidField, "twice"),
    ],
)
def test_unusable_form_is_refused_with_the_reason(fields, kind, words):
    with pytest.raises(kind, match=words):
        read_batch(form(*fields), LIMITS)


@pytest.mark.parametrize(("name", "data"), [("a.png", b"x" * 1001), ("../a.png", b"x")])
def test_bad_image_of_a_pair_is_refused_alone(name, data):
    items, common = read_batch(form(("image", data, name), ("caption", b"a")), LIMITS)
    with pytest.raises(InvalidEntry):
        common.request_for(items[0])


def test_problem_of_every_image_is_reported_once():
    parts = form(("image", b"A"), ("caption", b"a"), ("seed", b"x"))
    with pytest.raises(InvalidField, match="seed"):
        read_batch(parts, LIMITS)


@pytest.mark.parametrize(("region", "is_valid"), [(b"left", False), (b"0,0,900,900", True)])
def test_region_that_fits_no_image_is_refused(region, is_valid):
    parts = form(("image", b"A"), ("caption", b"a"), ("region", region))
    with nullcontext() if is_valid else pytest.raises(InvalidRegion):
        assert read_batch(parts, LIMITS)[1].region == "0,0,900,900"
