import io
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.archives.zip_stream import ZipStream, safe_name


def test_the_pieces_together_are_a_zip():
    stream = ZipStream()
    sent = [stream.add("a.png", b"A" * 1000), stream.add("b.png", b"B"), stream.finish()]
    with zipfile.ZipFile(io.BytesIO(b"".join(sent))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.png": b"A" * 1000, "b.png": b"B",
        }  # fmt: skip


def test_each_entry_is_sent_with_its_size_first():
    """A program that unpacks as it reads needs the size in the header, not behind the data."""
    first = ZipStream().add("a.png", b"A" * 1000)
    flags, size = first[6:8], first[18:22]
    assert (flags, int.from_bytes(size, "little")) == (b"\0\0", 1000)
    assert first.endswith(b"A" * 1000)


def test_the_same_results_give_the_same_archive():
    one, other = ZipStream(), ZipStream()
    assert one.add("a", b"A") + one.finish() == other.add("a", b"A") + other.finish()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.text())
def test_entries_have_plain_names_whatever_clients_call_them(name):
    assert set(safe_name(7, name, ".png")) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    )
    assert safe_name(7, name, ".png") != safe_name(8, name, ".png")


def test_a_name_is_kept_where_it_is_plain():
    assert safe_name(12, "in/cat (1).jpeg", ".png") == "0012-cat-1.png"
