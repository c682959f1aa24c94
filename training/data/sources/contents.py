"""First pass over a source: its text files, all file names, and damaged archives."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from captionfill.captions_file import by_composed_form
from training.common.errors import ArchiveError, PictureError, SourceError
from training.data.sources.archives import ARCHIVE_SUFFIXES, SourceFile, iter_files, iter_parts
from training.data.sources.base import SkippedItem, is_picture


@dataclass(frozen=True)
class Contents:
    """Contents of a source: the requested text files, and the paths of all files.

    `damaged` has the reason why an archive in the folder cannot be read to its end, by path; its
    files are not in `texts` and `paths`.
    """

    place: Path
    texts: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    damaged: dict[str, str] = field(default_factory=dict)

    def require(self, name: str) -> str:
        """Return the text of the file called `name`; raise `SourceError` if there is none."""
        for path, text in self.texts.items():
            if PurePosixPath(path).name == name:
                return text
        raise self.missing_error(name)

    def missing_error(self, name: str) -> SourceError:
        """Return the error for a missing file, with the damaged archives as a possible cause."""
        damaged = "".join(f"; {path} is {reason}" for path, reason in self.damaged.items())
        return SourceError(f"{self.place}: no {name} there, nor in an archive there{damaged}")

    def skip_damaged_archives(self, missing: Sequence[str]) -> Iterator[SkippedItem]:
        """Skip damaged archives; raise `ArchiveError` if listed pictures are missing."""
        for path, reason in self.damaged.items():
            if missing:
                raise ArchiveError(
                    self.place / path,
                    f"{reason}; {len(missing):,} listed pictures are nowhere else, such as "
                    f"{missing[0]}: without the archive they are skipped",
                )
            yield SkippedItem(path, reason)

    def skip_unpacked_archives(self) -> Iterator[SkippedItem]:
        """Skip damaged archives that are also unpacked, in a folder of the same name.

        For sources without a list of pictures. Raises `ArchiveError` for other damaged archives.
        """
        for path, reason in self.damaged.items():
            suffix = next(s for s in ARCHIVE_SUFFIXES if path.lower().endswith(s))
            folder = path[: -len(suffix)] + "/"
            if not any(other.startswith(folder) for other in self.paths):
                raise ArchiveError(self.place / path, reason)
            yield SkippedItem(path, reason)

    def pictures(self, name_of: Callable[[str], str]) -> Iterator[tuple[str, SourceFile]]:
        """Iterate over pictures by the name that `name_of` makes of a path; each name once."""
        seen: set[str] = set()
        for member in iter_files(self.place, without=self.damaged):
            name = name_of(member.path)
            if is_picture(name) and name not in seen:
                seen.add(name)
                yield name, member


def scan_source(
    place: Path, wanted: Callable[[str], bool] = lambda name: False, *, into_archives: bool = True
) -> Contents:
    """List a source and read the text files whose name is `wanted`.

    This needs a separate pass: in an archive the lists may come after the pictures.

    Raises:
        SourceError: nothing there, a text that is not UTF-8, or the source itself is a damaged
            archive.
    """
    contents = Contents(place)
    for name, members in iter_parts(place, into_archives=into_archives):
        texts, paths = {}, set()
        try:
            for member in members:
                paths.add(member.path)
                if wanted(PurePosixPath(member.path).name):
                    texts[member.path] = _decode(member)
        except ArchiveError as error:
            if not name:
                raise
            contents.damaged[name] = error.reason
        else:
            contents.texts.update(texts)
            contents.paths.update(paths)
    return contents


def _decode(member: SourceFile) -> str:
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{member.path}: not UTF-8 text") from error
    except PictureError as error:
        raise SourceError(f"{member.path}: {error}") from error


def match_names(listed: Collection[str], present: Iterable[str]) -> dict[str, str]:
    """Match file names to listed names, also between Unicode forms.

    macOS decomposes accents in file names (NFD); lists mostly have them composed (NFC).
    Returns listed names by file name.
    """
    present = set(present)
    matched = {name: name for name in present if name in listed}
    absent = by_composed_form(name for name in listed if name not in present)
    for name in sorted(present - matched.keys()) if absent else ():
        found = absent.pop(unicodedata.normalize("NFC", name), None)
        if found is not None:
            matched[name] = found
    return matched
