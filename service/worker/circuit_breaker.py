"""Which of a worker's models can be relied on: policy without model or queue."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


@dataclass
class _Record:
    failures: int = 0
    reason: str = ""
    pause: float = field(default_factory=lambda: _FIRST_PAUSE)
    due: float = 0.0


@dataclass
class CircuitBreaker:
    """Counts failures in a row of each model: at the limit it gets no more work until a probe.

    The pause before a probe doubles, up to a minute, until the model has done real work.

    Attributes:
        limit: failures in a row.
        clock: seconds, as of `time.monotonic`.
    """

    limit: int
    clock: Callable[[], float]
    _records: dict[str, _Record] = field(default_factory=dict, init=False)

    def failed(self, models: Iterable[str], reason: str, *, for_good: bool = False) -> None:
        """Take note that models failed, through no fault of the work.

        Args:
            models: their names.
            reason: in words for an operator.
            for_good: they cannot be used at all, so that there is no point in another try.
        """
        for model in models:
            record = self._records.setdefault(model, _Record())
            record.reason = reason
            record.failures = max(record.failures + 1, self.limit if for_good else 0)
            if record.failures >= self.limit:
                record.due = self.clock() + record.pause
                record.pause = min(2 * record.pause, _LONGEST_PAUSE)

    def succeeded(self, model: str) -> None:
        """Take note that a model did real work."""
        self._records.pop(model, None)

    def passed(self, model: str) -> None:
        """Give a model work again after a probe; one more failure takes it away again."""
        if model in self._records:
            self._records[model].failures = self.limit - 1

    def is_due(self, model: str) -> bool:
        """Whether the pause before a model's next probe is over."""
        return self.clock() >= self._records[model].due

    @property
    def unhealthy(self) -> dict[str, str]:
        """Models that get no work, each with the reason of its last failure."""
        return {
            model: one.reason
            for model, one in list(self._records.items())
            if one.failures >= self.limit
        }
