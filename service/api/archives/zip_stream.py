"""A zip that is sent while it is written, with at most one entry in memory."""

import io
import re
import zipfile


class ZipStream:
    """Writes one entry after another and returns the bytes to send for each.

    Entries are stored without compression, as PNG is compressed already.
    """

    def __init__(self) -> None:
        self._buffer = _StreamBuffer()
        self._zip = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: bytes) -> bytes:
        """Add an entry; return the bytes to send."""
        # ZipInfo has a fixed date: the same results give the same bytes.
        self._zip.writestr(zipfile.ZipInfo(name), data)
        return self._buffer.drain()

    def finish(self) -> bytes:
        """Write the directory; return the bytes to send."""
        self._zip.close()
        return self._buffer.drain()


def safe_name(index: int, name: str, suffix: str) -> str:
    """A file name that is valid on every system: the picture's index and the client's name."""
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60]
    return f"{index:04d}-{plain}{suffix}" if plain else f"{index:04d}{suffix}"


class _StreamBuffer(io.RawIOBase):
    """The end of a long file whose beginning has been sent.

    It is seekable, so that zipfile writes an entry's size into its header, which programs that
    unpack a stream need.
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
