"""A circuit breaker for each of a worker's bundles."""

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
    """Counts consecutive failures of each bundle. At the limit it gets no tasks until a probe.

    The pause before a probe doubles, up to a minute, until the bundle has finished a task.

    Attributes:
        limit: consecutive failures.
        clock: seconds, as `time.monotonic`.
    """

    limit: int
    clock: Callable[[], float]
    _records: dict[str, _Record] = field(default_factory=dict, init=False)

    def record_failure(self, models: Iterable[str], reason: str, *, open_now: bool = False) -> None:
        """Record a failure that no task caused.

        Args:
            models: names of the bundles.
            reason: for the operator.
            open_now: the bundles cannot be used at all, so the limit counts as reached.
        """
        for model in models:
            record = self._records.setdefault(model, _Record())
            record.reason = reason
            record.failures = max(record.failures + 1, self.limit if open_now else 0)
            if record.failures >= self.limit:
                record.due = self.clock() + record.pause
                record.pause = min(2 * record.pause, _LONGEST_PAUSE)

    def record_success(self, model: str) -> None:
        """Close the circuit: the bundle finished a task."""
        self._records.pop(model, None)

    def half_open(self, model: str) -> None:
        """Give the bundle tasks after a successful probe; one more failure opens the circuit."""
        if model in self._records:
            self._records[model].failures = self.limit - 1

    def probe_due(self, model: str) -> bool:
        """Whether the pause before the next probe of an unhealthy bundle is over."""
        return self.clock() >= self._records[model].due

    @property
    def unhealthy(self) -> dict[str, str]:
        """Bundles that get no tasks, each with the reason of its last failure."""
        return {
            model: one.reason
            for model, one in list(self._records.items())
            if one.failures >= self.limit
        }
