"""Zip archives in memory."""

import io
import zipfile
from collections.abc import Iterable, Mapping

Entries = Mapping[str, bytes | str] | Iterable[tuple[str | zipfile.ZipInfo, bytes | str]]


def zip_bytes(
    entries: Entries,
    method: int = zipfile.ZIP_STORED,
    *,
    level: int | None = None,
    comment: bytes = b"",
) -> bytes:
    """Return a zip archive of names and contents."""
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=level) as archive:
        archive.comment = comment
        for name, data in pairs:
            archive.writestr(name, data)
    return buffer.getvalue()
