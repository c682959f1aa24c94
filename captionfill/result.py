"""What `Inpainter.fill` returns."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from PIL import Image

from captionfill.imaging.codec import Picture, to_image, write_png
from captionfill.imaging.region import Region
from captionfill.output_files import write_atomically


@dataclass(frozen=True)
class Candidate:
    """One answer: the whole image with a fill in its region.

    Attributes:
        picture: all other pixels are those of the input, byte for byte.
        seed: gives the same candidate again, alone or among others.
        score: how well the fill fits the caption, -1 to 1; None where the bundle has no scorer.
        other: the answer for the second caption, from the same noise; None without one.
    """

    picture: Picture = field(repr=False)
    seed: int
    score: float | None = None
    other: Picture | None = field(default=None, repr=False)

    @property
    def image(self) -> Image.Image:
        """The image for Pillow, RGB or RGBA, with the colour profile of the input."""
        return to_image(self.picture)

    def png(self) -> bytes:
        """The image as PNG, with the colour information of the input and no other metadata."""
        return write_png(self.picture)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the image as PNG, whatever the name ends in; an older file stays until then.

        Raises:
            OSError: the file cannot be written.
        """
        write_atomically(Path(path), self.png())


@dataclass(frozen=True)
class FillResult:
    """The candidates for one image, and what made them.

    Attributes:
        candidates: the best first where the bundle carries a scorer, else in order of seeds.
        region: the pixels that were filled: left, top, width, height; around all holes of a mask.
        truncated: whether the caption is longer than the encoder reads.
        unknown: whether the encoder's vocabulary has no token of the caption, so that it has no
            effect.
        notes: what of the input is not in the output (such as a colour profile), a sentence each.
        model: name of the bundle.
        digest: of the bundle, `sha256:…`.
        engine: what computed the fills; another engine gives other bits.
    """

    candidates: list[Candidate]
    region: Region
    truncated: bool
    unknown: bool
    notes: tuple[str, ...]
    model: str
    digest: str
    engine: str

    @property
    def images(self) -> list[Image.Image]:
        """The candidates for Pillow."""
        return [one.image for one in self.candidates]

    @property
    def others(self) -> list[Image.Image]:
        """The results for the second caption for Pillow; empty without one."""
        return [to_image(one.other) for one in self.candidates if one.other is not None]

    @property
    def seeds(self) -> list[int]:
        """The seed of each candidate."""
        return [one.seed for one in self.candidates]

    @property
    def scores(self) -> list[float] | None:
        """The score of each candidate; None where the bundle has no scorer."""
        scores = [one.score for one in self.candidates if one.score is not None]
        return scores if len(scores) == len(self.candidates) else None

    @property
    def image(self) -> Image.Image:
        """The first candidate for Pillow."""
        return self.candidates[0].image

    def save(self, path: str | PathLike[str]) -> None:
        """Write the first candidate as PNG."""
        self.candidates[0].save(path)
