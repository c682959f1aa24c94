"""The part of a prepared picture that a run uses, and the size of its hole."""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from models.geometry import HOLE, SIZE, hole_mask, whole_mask


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ImageSpec:
    """The picture of a run. An unconditional system has a hole as large as the picture.

    Attributes:
        size: side of the picture in pixels.
        hole: `centre`, the 32×32 in the middle of 64×64, or `all`, the whole picture.
        view: how a larger prepared picture becomes one of `size`: `crop` cuts a window of that
            size, `centre` the middle of a window twice as large (at 32 the very centres that
            inpainting fills), `shrink` averages such a window 2×2.
    """

    size: Literal[32, 64, 128] = 64
    hole: Literal["centre", "all"] = "centre"
    view: Literal["crop", "centre", "shrink"] = "crop"

    def __post_init__(self) -> None:
        if self.hole == "centre" and (self.size, self.view) != (SIZE, "crop"):
            raise ValueError(f"a hole in the centre needs size {SIZE} and view crop")

    @property
    def window(self) -> int:
        """Side of the window that is cut out of a prepared picture."""
        return self.size if self.view == "crop" else 2 * self.size

    @property
    def fill_size(self) -> int:
        """Side of the generator's output."""
        return HOLE if self.hole == "centre" else self.size

    def mask(self, count: int) -> Tensor:
        """Return the upright masks, float `(count, 1, size, size)`."""
        return hole_mask(count) if self.hole == "centre" else whole_mask(count, self.size)


# What every inpainting system works on: 64×64 with the central 32×32 hidden.
INPAINT_SPEC = ImageSpec()
