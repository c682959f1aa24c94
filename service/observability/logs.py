"""Logs: one JSON object a line on standard error, with no picture, caption or secret in it.

What a line belongs to (a request, a job, its work) is bound once and is then on every line, also
of code that knows nothing of requests.
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
    """Put ids on every line of this task or thread from here on, and of the tasks it starts."""
    _bound.set({**_bound.get(), **ids})


def describe(error: BaseException) -> str:
    """An error's kind and message in one line of at most 300 characters."""
    # Masked before it is cut: a part of a secret would not be known again.
    return " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Put ids on every line within."""
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """Time, level, logger, event, the ids that are bound, and whatever ``extra`` held."""

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
    """Send everything from level INFO through the formatter, and from libraries WARNING."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("captionfill").setLevel(logging.INFO)
