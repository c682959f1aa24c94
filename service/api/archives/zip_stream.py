"""A zip that is sent while it is made: no more than one entry is held in memory."""

import io
import re
import zipfile


class ZipStream:
    """Takes one entry after another, and gives the bytes to send for each.

    Entries are stored as they are: PNG is compressed already.
    """

    def __init__(self) -> None:
        self._window = _Window()
        self._zip = zipfile.ZipFile(self._window, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: bytes) -> bytes:
        """Add an entry; return what there is to send."""
        # A fixed date: the same results give the same archive, byte for byte.
        self._zip.writestr(zipfile.ZipInfo(name), data)
        return self._window.drain()

    def finish(self) -> bytes:
        """Write the directory; return what there is to send."""
        self._zip.close()
        return self._window.drain()


def safe_name(index: int, name: str, suffix: str) -> str:
    """A unique file name that is good on every system, after what the client called its picture.

    Args:
        index: of the picture in its batch.
        name: the client's, which may be anything.
        suffix: with its dot.
    """
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60]
    return f"{index:04d}-{plain}{suffix}" if plain else f"{index:04d}{suffix}"


class _Window(io.RawIOBase):
    """The end of a long file: what came before has been sent.

    It can be sought in, so that zipfile goes back to write an entry's size into its header, as
    programs that unpack a zip as it comes need it.
    """

    def __init__(self) -> None:
        self._sent, self._buffer = 0, io.BytesIO()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._sent + self._buffer.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        return self._sent + self._buffer.seek(offset - self._sent)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._buffer.write(data)

    def drain(self) -> bytes:
        data = self._buffer.getvalue()
        self._sent, self._buffer = self._sent + len(data), io.BytesIO()
        return data
