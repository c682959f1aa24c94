"""Fill a region of an image from its surroundings and a caption.

    from captionfill import Inpainter

    inpainter = Inpainter.load()
    inpainter.fill("cat.jpg", "a cat on a chair").save("filled.png")

    from captionfill import Client

    with Client("http://127.0.0.1:8000") as client:
        client.inpaint("cat.jpg", "a cat on a chair").save("filled.png")

`Inpainter` fills in this process. It is imported when it is first used, since it needs an engine.
`Client` and `AsyncClient` call a service; they need httpx. `captionfill.imaging`, which decodes
images and cuts windows, needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captionfill.client import AsyncClient, Client
    from captionfill.inpainter import Inpainter

__all__ = ["AsyncClient", "Client", "Inpainter"]


def __getattr__(name: str) -> Any:
    if name in ("AsyncClient", "Client"):
        return getattr(import_module("captionfill.client"), name)
    if name == "Inpainter":
        from captionfill.console import check_packages  # noqa: PLC0415

        check_packages()
        return import_module("captionfill.inpainter").Inpainter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
