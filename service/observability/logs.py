"""Logs: one JSON object a line on standard error, without images, captions or secrets.

Ids of the request and the job are bound once, and are then in every line of the same context.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from service.errors.redaction import redact, redact_values

_PLAIN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_bound: ContextVar[Mapping[str, str]] = ContextVar("bound", default=MappingProxyType({}))


def bind(**ids: str) -> None:
    """Add ids to all later lines of this asyncio task or thread, and of the tasks it starts."""
    _bound.set({**_bound.get(), **ids})


def describe(error: BaseException) -> str:
    """Return type and message of an error in one line of at most 300 characters."""
    # Redacted before it is cut: a part of a secret would not be recognised.
    return " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Add ids to all lines inside the context."""
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """Formats time, level, logger, event, bound ids and ``extra`` as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_bound.get(),
            **{key: value for key, value in vars(record).items() if key not in _PLAIN},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        safe = redact_values(line)
        return json.dumps(safe, default=lambda value: redact(str(value)), ensure_ascii=False)


def set_up_logs() -> None:
    """Log the service from INFO and libraries from WARNING, as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("captionfill").setLevel(logging.INFO)
