"""A first pass over a source: its lists, the names of its files, and archives that are damaged."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from training.common.errors import ArchiveError, PictureError, SourceError
from training.data.sources.base import SkippedItems
from training.data.sources.packed import ARCHIVE_SUFFIXES, Member, parts


@dataclass(frozen=True)
class Contents:
    """What a source holds.

    Attributes:
        place: the source.
        texts: the wanted text files, by path.
        paths: of all files, those inside archives too.
        damaged: reason by path, of archives in the folder that cannot be read to their end; none of
            what is in them is in `texts` or `paths`.
    """

    place: Path
    texts: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    damaged: dict[str, str] = field(default_factory=dict)

    def require(self, name: str) -> str:
        """The text of the one file called `name`, wherever it lies; `SourceError` without one."""
        for path, text in self.texts.items():
            if PurePosixPath(path).name == name:
                return text
        raise self.lacks(name)

    def lacks(self, what: str) -> SourceError:
        """The error that something is not there, which a damaged archive may be why."""
        why = "".join(f"; {path} is {reason}" for path, reason in self.damaged.items())
        return SourceError(f"{self.place}: no {what} there, nor in an archive there{why}")

    def pass_over_damaged(self, missing: Sequence[str]) -> Iterator[SkippedItems]:
        """Pass over damaged archives, unless they would have held what is missing.

        Args:
            missing: names of listed pictures that are nowhere else.

        Raises:
            ArchiveError: pictures are missing.
        """
        for path, reason in self.damaged.items():
            if missing:
                raise ArchiveError(
                    self.place / path,
                    f"{reason}; {len(missing):,} listed pictures are nowhere else, such as "
                    f"{missing[0]}: without the archive they are passed over",
                )
            yield SkippedItems(path, reason)

    def pass_over_unpacked(self) -> Iterator[SkippedItems]:
        """Pass over damaged archives that lie unpacked beside themselves, in a folder of the name.

        For sources without a list, where nobody knows what a damaged archive would have held.

        Raises:
            ArchiveError: one is not unpacked.
        """
        for path, reason in self.damaged.items():
            suffix = next(s for s in ARCHIVE_SUFFIXES if path.lower().endswith(s))
            folder = path[: -len(suffix)] + "/"
            if not any(other.startswith(folder) for other in self.paths):
                raise ArchiveError(self.place / path, reason)
            yield SkippedItems(path, reason)


def look_through(
    place: Path, wanted: Callable[[str], bool] = lambda name: False, *, into_archives: bool = True
) -> Contents:
    """Look through a source and read the small text files whose file name is `wanted`.

    A pass of its own: an archive may well hold its lists behind its pictures.

    Raises:
        SourceError: nothing there, a text that is not UTF-8, or the source itself is a damaged
            archive.
    """
    contents = Contents(place)
    for name, members in parts(place, into_archives=into_archives):
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


def _decode(member: Member) -> str:
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{member.path}: not UTF-8 text") from error
    except PictureError as error:
        raise SourceError(f"{member.path}: {error}") from error


def match_names(listed: Collection[str], present: Iterable[str]) -> dict[str, str]:
    """Find the listed name of each file: the same one, else the same in another Unicode form.

    macOS writes accents as characters of their own (NFD), lists mostly have them composed (NFC).

    Returns:
        Listed name by present name, of those that are listed.
    """
    present = set(present)
    matched = {name: name for name in present if name in listed}
    absent = {unicodedata.normalize("NFC", name): name for name in listed if name not in present}
    for name in sorted(present - matched.keys()) if absent else ():
        found = absent.pop(unicodedata.normalize("NFC", name), None)
        if found is not None:
            matched[name] = found
    return matched
