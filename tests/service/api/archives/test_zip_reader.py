"""Zips, good and hostile. What is wrong with one picture must be said of that one alone."""

import contextlib
import io
import json
import struct
import tracemalloc
import unicodedata
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionfill.captions_file import CaptionRow
from captionfill.errors import CaptionfillError
from service.api.archives.zip_reader import ZipLimits, open_archive
from service.errors.requests import BatchTooLarge, InvalidArchive, InvalidEntry
from tests.helpers.archives import zip_bytes

LIMITS = ZipLimits(pictures=10, picture_bytes=100_000, total_bytes=300_000)
LINES = b'{"file_name": "a.png", "caption": "a cat"}\n{"file_name": "b.png", "captions": ["b"]}\n'


def pack(*entries, method=zipfile.ZIP_STORED):
    """A zip of names (or ZipInfo) and contents."""
    return io.BytesIO(zip_bytes(entries, method))


def contents(file, captions=None, limits=LIMITS):
    """Each item's name and caption with its bytes, or with the words of its problem."""
    found = []
    for item in open_archive(file, captions, limits):
        try:
            found.append((item.name, item.caption, item.read()))
        except CaptionfillError as error:
            found.append((item.name, item.caption, str(error)))
    return found


def problem(file, name):
    """What is wrong with the one picture of an archive."""
    [(_, _, words)] = contents(file, [CaptionRow(name, "x")])
    assert isinstance(words, str)
    return words


def test_pictures_come_with_the_captions_of_the_archive():
    file = pack(("metadata.jsonl", LINES), ("b.png", b"B"), ("a.png", b"A"))
    assert contents(file) == [("a.png", "a cat", b"A"), ("b.png", "b", b"B")]


def test_folder_may_be_packed_with_its_name():
    table = "\ufefffile_name,caption\nin/a.png,a cat\n".encode()
    file = pack(("mine/metadata.csv", table), ("mine/in/a.png", b"A"), ("__MACOSX/a.png", b""))
    assert contents(file) == [("mine/in/a.png", "a cat", b"A")]


@pytest.mark.parametrize(("listed", "packed"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_match_in_either_unicode_form(listed, packed):
    name, entry = (unicodedata.normalize(form, "café.png") for form in (listed, packed))
    row = json.dumps({"file_name": name, "caption": "coffee"}, ensure_ascii=False).encode()
    file = pack(("metadata.jsonl", row), (entry, b"A"))
    assert contents(file) == [(name, "coffee", b"A")]


def test_given_captions_replace_the_captions_file():
    file = pack(("a.png", b"A"), ("metadata.jsonl", b"not read"))
    assert contents(file, [CaptionRow("a.png", "one"), CaptionRow("a.png", "two")]) == [
        ("a.png", "one", b"A"), ("a.png", "two", b"A"),
    ]  # fmt: skip


def test_missing_or_uncaptioned_image_is_reported():
    file = pack(("metadata.jsonl", LINES), ("a.png", b"A"), ("c.webp", b"C"), ("read.me", b""))
    assert contents(file) == [
        ("a.png", "a cat", b"A"),
        ("b.png", "b", "the archive has none of that name"),
        ("c.webp", "", "the picture has no caption"),
    ]


@pytest.mark.parametrize(
    "name",
    ["../a.png", "in/../../a.png", "/etc/a.png", "C:/a.png", "\\\\host\\a.png", "..\\a.png",
     "a\n.png", "x" * 256],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(name):
    assert "its name" in problem(pack((name, b"A")), name)


def test_nul_in_a_name_hides_nothing_after_it():
    raw = pack(("a.pngX.exe", b"A")).getvalue().replace(b"a.pngX.exe", b"a.png\0.exe")
    assert (
        contents(io.BytesIO(raw), [CaptionRow("a.png", "x")])[0][2]
        == "the archive has none of that name"
    )
    assert "its name" in problem(io.BytesIO(raw), "a.png\0.exe")


def test_name_beginning_with_a_zero_byte_is_refused():
    raw = pack(("_a.png", b"A")).getvalue().replace(b"_a.png", b"\0a.png")
    assert "its name" in problem(io.BytesIO(raw), "\0a.png")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused():
    assert "two" in problem(pack(("a.png", b"A"), ("a.png", b"B")), "a.png")


def test_a_link_is_refused():
    link = zipfile.ZipInfo("a.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    assert "a link" in problem(pack((link, b"/etc/passwd")), "a.png")


def test_an_encrypted_entry_is_refused():
    raw = bytearray(pack(("a.png", b"A")).getvalue())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in problem(io.BytesIO(raw), "a.png")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_with_unbounded_memory_is_refused(method):
    assert "deflated" in problem(pack(("a.png", b"A"), method=method), "a.png")


def test_damaged_entry_is_refused_and_others_are_read():
    raw = pack(("a.png", b"AAAA"), ("b.png", b"BBBB")).getvalue().replace(b"AAAA", b"AXAA")
    found = contents(io.BytesIO(raw), [CaptionRow("a.png", "x"), CaptionRow("b.png", "y")])
    assert [what for *_, what in found] == ["it cannot be unpacked", b"BBBB"]


def test_image_declaring_too_many_bytes_is_refused_unread():
    file = pack(("a.png", bytes(100_001)), method=zipfile.ZIP_DEFLATED)
    assert "100,001 bytes" in problem(file, "a.png")


def test_bomb_declaring_few_bytes_is_not_inflated():
    raw = bytearray(pack(("a.png", bytes(40_000_000)), method=zipfile.ZIP_DEFLATED).getvalue())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(signature) + place, 1000)
    tracemalloc.start()
    assert problem(io.BytesIO(raw), "a.png") == "it cannot be unpacked"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_tightly_packed_entry_is_refused():
    roomy = ZipLimits(10, 10**7, 10**7)
    file = pack(("a.png", bytes(5_000_000)), method=zipfile.ZIP_DEFLATED)
    [item] = open_archive(file, [CaptionRow("a.png", "x")], roomy)
    with pytest.raises(InvalidEntry, match="compression ratio"):
        item.read()


def test_total_size_over_limit_is_refused_at_once():
    entries = [(f"{number}.png", bytes(90_000)) for number in range(4)]
    with pytest.raises(BatchTooLarge, match="360,000 bytes"):
        contents(pack(*entries), [CaptionRow(name, "x") for name, _ in entries])


def test_image_named_repeatedly_counts_each_time():
    with pytest.raises(BatchTooLarge, match="360,000 bytes"):
        contents(pack(("a.png", bytes(90_000))), [CaptionRow("a.png", "x")] * 4)


@pytest.mark.parametrize("count", [11, 5000])
def test_too_many_pictures_are_refused(count):
    with pytest.raises(BatchTooLarge, match="at most 10"):
        contents(pack(*((f"{number}.png", b"") for number in range(count))), [])


def test_directory_of_a_million_entries_is_not_read():
    raw = pack(("a.png", b"")).getvalue()
    start, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    many = raw[start:end] * 200_000
    size = struct.pack("<II", len(many), start)
    file = io.BytesIO(raw[:start] + many + raw[end : end + 12] + size + b"\0\0")
    tracemalloc.start()
    with pytest.raises(BatchTooLarge):
        contents(file, [])
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (io.BytesIO(b"not a zip"), "not a zip"),
        (io.BytesIO(pack(("a.png", b"A" * 50)).getvalue()[:-20]), "not a zip"),
        (pack(("a.png", b"A")), "metadata"),
        (pack(("metadata.jsonl", b"{")), "cannot be read"),
        (pack(("metadata.jsonl", b"[" * 100_000)), "cannot be read"),
        (pack(("metadata.jsonl", b'{"caption": "x"}')), "no file_name"),
        (pack(("metadata.csv", b"\xff\xfe")), "cannot be read"),
        (pack(("metadata.jsonl", b" " * 2_000_000), method=zipfile.ZIP_DEFLATED), "2,000,000"),
        (pack(("metadata.jsonl", b"")), "no picture"),
    ],
)
def test_unusable_archive_is_refused_with_the_reason(file, words):
    with pytest.raises(InvalidArchive, match=words):
        contents(file)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_any_damage_raises_an_error_of_ours(changes):
    raw = bytearray(pack(("metadata.jsonl", LINES), ("a.png", b"A" * 40)).getvalue())
    for place, value in changes:
        raw[place % len(raw)] = value
    with contextlib.suppress(InvalidArchive, BatchTooLarge):
        assert len(contents(io.BytesIO(raw))) <= 10
