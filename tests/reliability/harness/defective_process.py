"""An API or a worker with injected faults: the negative control of the suites.

`python -m tests.reliability.harness.defective_process api|worker FAULT,FAULT`; each fault is a
function here.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from captionfill.imaging import encoder
from captionfill.imaging.codec import Picture, write_png
from service.api.inpaint_service import InpaintService
from service.cli.main import main
from tests.helpers.service.stub_model import StubModel
from tests.reliability.harness import stub_worker

EVERY = 10
# Bytes leaked per request. A short run needs more to detect it.
LEAK = int(os.environ.get("LEAK_KIB", "16")) * 1024
_leaked: list[bytes] = []
_calls = count(1)


def wrong_pixel() -> None:
    """In every tenth response, one pixel is one level off."""

    def written(picture: Picture) -> bytes:
        rgb = picture.rgb.copy()
        rgb[0, 0, 0] ^= next(_calls) % EVERY == 0
        return write_png(replace(picture, rgb=rgb))

    setattr(encoder, "write_png", written)  # noqa: B010


def error() -> None:
    """Every tenth request raises an unexpected exception."""
    _before(InpaintService, "submit", lambda *_: next(_calls) % EVERY or 1 / 0)


def log() -> None:
    """The log contains the captions of clients."""
    logger = logging.getLogger("captionfill.api")
    _before(InpaintService, "submit", lambda _, asked: logger.info(asked.task.caption))


def leak_api() -> None:
    """The API leaks memory with every request."""
    _before(InpaintService, "submit", lambda *_: _leaked.append(_bulk()))


def leak_worker() -> None:
    """The worker leaks memory with every task."""
    _before(StubModel, "_fill", lambda *_: _leaked.append(_bulk()))


def _bulk() -> bytes:
    return b"\1" * LEAK


def _before(kind: type, name: str, act: Callable[..., Any]) -> None:
    whole = getattr(kind, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        act(*args)
        return whole(*args, **named)

    setattr(kind, name, wrapped)


FAULTS = {act.__name__.replace("_", "-"): act for act in
          (wrong_pixel, error, log, leak_api, leak_worker)}  # fmt: skip

if __name__ == "__main__":
    kind, faults = sys.argv[1:]
    for fault in faults.split(","):
        FAULTS[fault]()
    if kind == "worker":
        stub_worker.main(0.0)
    else:
        sys.argv = ["captionfill", "api"]
        main()
