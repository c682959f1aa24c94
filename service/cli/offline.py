"""The main job without a server: `captionfill fill`."""

import secrets
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import typer

from captionfill.captions import check_caption
from captionfill.errors import CaptionfillError, StartError
from captionfill.imaging.canvas import Canvas
from service.cli.folder import read_metadata
from service.cli.output_files import check_no_input, check_output, output_places, write_whole
from service.config.settings import Settings
from service.queue.task import SEEDS, InferenceTask
from service.worker.predictor import Predictor


@dataclass
class LocalFiller:
    """Fills pictures in this process; region, seed and temperature are the same for each."""

    settings: Settings
    region: str | None = None
    seed: int | None = None
    temperature: float = 1.0

    @cached_property
    def predictor(self) -> Predictor:
        """Loaded when the first picture has been found good: it takes seconds."""
        settings = self.settings
        return Predictor.load(settings.bundle, settings.device, settings.engine)

    def fill_photo(self, photo: Path, caption: str, output: Path) -> None:
        """Fill one picture and write it as PNG.

        Raises:
            CaptionfillError: the picture, caption, region or bundle cannot be used, or the output
                is the picture itself or cannot be written.
        """
        check_no_input(photo, output)
        check_output(output)
        words = check_caption(caption)
        try:
            image = photo.read_bytes()
        except OSError as error:
            raise StartError(f"{photo}: {error.strerror}") from error
        canvas = Canvas.open(image, self.region, self.settings.max_pixels)
        seed = secrets.randbelow(SEEDS) if self.seed is None else self.seed
        work = InferenceTask(canvas.window, words, seed, temperature=self.temperature)
        for note in canvas.picture.notes:
            print(f"{photo}: {note}", file=sys.stderr)
        [fill] = self.predictor.predict([work])
        if isinstance(fill, Exception):
            raise StartError("the picture could not be filled") from fill
        try:
            write_whole(output, canvas.complete(fill.fills)[0])
        except OSError as error:
            raise StartError(f"{output}: {error.strerror}") from error

    def fill_folder(self, folder: Path, output: Path) -> None:
        """Fill every picture that a folder's captions file names, into ``output`` as PNG.

        Raises:
            StartError: no captions file, the output cannot be written or would replace an input
                (`service.cli.output_files.output_places`), or not one picture could be filled.
        """
        entries = read_metadata(folder)
        places = output_places(folder, [photo for photo, _ in entries], output)
        check_output(output, folder=True)
        _ = self.predictor  # what is wrong with the bundle is not the first picture's fault
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
