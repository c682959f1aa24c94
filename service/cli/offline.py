"""`captionfill fill`: fill images in this process, without a server."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from captionfill.captions import check_caption
from captionfill.errors import CaptionfillError, StartError
from captionfill.imaging.canvas import Canvas, Detail
from captionfill.imaging.codec import write_png
from captionfill.output_files import check_output, check_output_folder, write_atomically
from service.cli.folder import output_places, read_metadata
from service.config.settings import Settings

if TYPE_CHECKING:
    from captionfill import Inpainter


@dataclass
class LocalFiller:
    """Fills image files; all options are the same for each.

    Attributes:
        settings: with the bundle, the device and the engine.
        region: to fill, as text.
        mask: file in the place of a region.
        seed, n, temperature, compare, detail: as of `Inpainter.fill`.
    """

    settings: Settings
    region: str | None = None
    mask: Path | None = None
    seed: int | None = None
    n: int = 1
    temperature: float = 1.0
    compare: str | None = None
    detail: Detail = "surroundings"

    @cached_property
    def inpainter(self) -> "Inpainter":
        """The networks. Loading takes seconds, so the first image is checked before."""
        from captionfill import Inpainter

        settings = self.settings
        return Inpainter.load(settings.bundle, settings.device, settings.engine)

    def fill_photo(self, photo: Path, caption: str, output: Path) -> dict[str, Any]:
        """Fill one image and write its candidates as PNG: the best to `output`.

        Further ones get a number (`out-2.png`), and results for the second caption a word
        (`out-compare.png`, `out-2-compare.png`).

        Returns:
            What was written and how, for `--json`.

        Raises:
            CaptionfillError: the image, mask, captions, region or bundle cannot be used, or an
                output is an input or cannot be written.
        """
        places = output_names(output, self.n, with_compare=self.compare is not None)
        for place in places:
            check_no_input(photo, place)
            check_output(place, error=StartError)
        words = check_caption(caption)
        other = None if self.compare is None else check_caption(self.compare)
        try:
            limit = self.settings.max_pixels
            canvas = Canvas.open(photo, self.region, limit, self.mask, self.detail)
        except OSError as error:
            raise StartError(f"{error.filename or photo}: {error.strerror}") from error
        for note in canvas.picture.notes:
            print(f"{photo}: {note}", file=sys.stderr)
        inpainter = self.inpainter
        try:
            result = inpainter.fill(
                canvas,
                words,
                seed=self.seed,
                n=self.n,
                temperature=self.temperature,
                compare=other,
            )
        except Exception as error:
            raise StartError("the picture could not be filled") from error
        pictures = [one.picture for one in result.candidates]
        pictures += [one.other for one in result.candidates if one.other is not None]
        for place, picture in zip(places, pictures, strict=True):
            try:
                write_atomically(place, write_png(picture))
            except OSError as error:
                raise StartError(f"{place}: {error.strerror}") from error
        return {
            "image": str(photo),
            "caption": words,
            "compare": other,
            "files": [str(place) for place in places[: self.n]],
            "compare_files": [str(place) for place in places[self.n :]],
            "seeds": result.seeds,
            "scores": result.scores,
            "region": list(result.region),
            "caption_truncated": result.truncated,
            "caption_unknown": result.unknown,
            "notes": list(result.notes),
            "model": result.model,
            "bundle": result.digest,
            "engine": result.engine,
        }

    def fill_folder(
        self, folder: Path, output: Path, report: Callable[[dict[str, Any]], None]
    ) -> str:
        """Fill every image that a folder's captions file names; write them to ``output`` as PNG.

        Args:
            folder: of the images.
            output: folder to write.
            report: called with what `fill_photo` returns.

        Returns:
            How many were filled, in words.

        Raises:
            StartError: no captions file, the output cannot be written or would replace an input
                (`service.cli.folder.output_places`), or no image could be filled.
        """
        entries = read_metadata(folder)
        places = output_places(folder, [photo for photo, _ in entries], output)
        check_output_folder(output, error=StartError)
        _ = self.inpainter  # so that an error of the bundle is not reported for the first image
        filled = 0
        work = [(*entry, place) for entry, place in zip(entries, places, strict=True)]
        with typer.progressbar(work, label="filling", file=sys.stderr) as progress:
            for photo, caption, place in progress:
                try:
                    report(self.fill_photo(photo, caption, place))
                    filled += 1
                except CaptionfillError as error:
                    print(f"\npassed over {photo}: {error}", file=sys.stderr)
        if not filled:
            raise StartError(f"none of the {len(entries)} pictures of {folder} could be filled")
        return f"filled {filled} of {len(entries)} pictures into {output}"


def output_names(output: Path, count: int, *, with_compare: bool) -> list[Path]:
    """The files of the candidates, and after them those of the second caption."""
    names = [output, *(_named(output, str(number)) for number in range(2, count + 1))]
    return names + ([_named(name, "compare") for name in names] if with_compare else [])


def _named(path: Path, word: str) -> Path:
    return path.with_name(f"{path.stem}-{word}{path.suffix}")


def check_no_input(photo: Path, output: Path) -> None:
    """Refuse to write over the picture itself, under whatever name or link.

    Raises:
        StartError: the output is the input.
    """
    if output.exists() and photo.exists() and output.samefile(photo):
        raise StartError(f"{output} is the picture itself: choose another name for the filled one")
