"""Fill a region of an image from its surroundings and a caption.

    from captionfill import Inpainter

    inpainter = Inpainter.load()
    inpainter.fill("cat.jpg", "a cat on a chair").save("filled.png")

`Inpainter` is imported when it is first used, since it needs torch. `captionfill.imaging`, which
decodes images and cuts windows, does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captionfill.inpainter import Inpainter

__all__ = ["Inpainter"]


def __getattr__(name: str) -> Any:
    if name == "Inpainter":
        from captionfill.console import check_packages  # noqa: PLC0415

        check_packages()
        from captionfill.inpainter import Inpainter  # noqa: PLC0415

        return Inpainter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
