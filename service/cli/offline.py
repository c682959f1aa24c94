"""`captionfill fill`: fill images in this process, without a server."""

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from captionfill.captions import check_caption
from captionfill.errors import CaptionfillError, StartError
from captionfill.imaging.canvas import Canvas
from captionfill.output_files import check_output, check_output_folder, write_atomically
from service.cli.folder import output_places, read_metadata
from service.config.settings import Settings

if TYPE_CHECKING:
    from captionfill import Inpainter


@dataclass
class LocalFiller:
    """Fills image files; region, seed and temperature are the same for each."""

    settings: Settings
    region: str | None = None
    seed: int | None = None
    temperature: float = 1.0

    @cached_property
    def inpainter(self) -> "Inpainter":
        """The networks. Loading takes seconds, so the first image is checked before."""
        from captionfill import Inpainter

        settings = self.settings
        return Inpainter.load(settings.bundle, settings.device, settings.engine)

    def fill_photo(self, photo: Path, caption: str, output: Path) -> None:
        """Fill one image and write it as PNG.

        Raises:
            CaptionfillError: the image, caption, region or bundle cannot be used, or the output
                is the image itself or cannot be written.
        """
        check_no_input(photo, output)
        check_output(output, error=StartError)
        words = check_caption(caption)
        try:
            canvas = Canvas.open(photo, self.region, self.settings.max_pixels)
        except OSError as error:
            raise StartError(f"{photo}: {error.strerror}") from error
        for note in canvas.picture.notes:
            print(f"{photo}: {note}", file=sys.stderr)
        inpainter = self.inpainter
        try:
            result = inpainter.fill(canvas, words, seed=self.seed, temperature=self.temperature)
        except Exception as error:
            raise StartError("the picture could not be filled") from error
        try:
            write_atomically(output, result.candidates[0].png())
        except OSError as error:
            raise StartError(f"{output}: {error.strerror}") from error

    def fill_folder(self, folder: Path, output: Path) -> None:
        """Fill every image that a folder's captions file names; write them to ``output`` as PNG.

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
                    self.fill_photo(photo, caption, place)
                    filled += 1
                except CaptionfillError as error:
                    print(f"\npassed over {photo}: {error}", file=sys.stderr)
        if not filled:
            raise StartError(f"none of the {len(entries)} pictures of {folder} could be filled")
        print(f"filled {filled} of {len(entries)} pictures into {output}")


def check_no_input(photo: Path, output: Path) -> None:
    """Refuse to write over the picture itself, under whatever name or link.

    Raises:
        StartError: the output is the input.
    """
    if output.exists() and photo.exists() and output.samefile(photo):
        raise StartError(f"{output} is the picture itself: choose another name for the filled one")
