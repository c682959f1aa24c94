"""The life cycle of a worker's model: loaded, probed, restarted after a crash, reloaded."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from captionfill.errors import StartError
from service.observability import describe
from service.queue.task import WINDOW_BYTES, InferenceResult, InferenceTask
from service.worker.model_process import ModelProcess

log = logging.getLogger("captionfill.worker")


_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


@dataclass
class _Record:
    pause: float
    failures: int = 0
    reason: str = ""
    due: float = 0.0


@dataclass
class CircuitBreaker:
    """Counts consecutive failures of each bundle. At the limit it gets no tasks until a probe.

    The pause before a probe doubles, up to a minute, until the bundle has finished a task. The
    clock is in seconds, as `time.monotonic`.
    """

    limit: int
    clock: Callable[[], float]
    _records: dict[str, _Record] = field(default_factory=dict, init=False)

    def record_failure(self, models: Iterable[str], reason: str, *, open_now: bool = False) -> None:
        """Record a failure that no task caused, with the reason for the operator.

        With ``open_now`` the limit counts as reached: the bundles cannot be used at all.
        """
        for model in models:
            record = self._records.setdefault(model, _Record(_FIRST_PAUSE))
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


class ModelManager:
    """Holds the model of a worker, and knows which of its bundles are healthy.

    Only `check_reload` and `facts` may be called from another thread than the worker's.
    """

    def __init__(self, load: Callable[[], ModelProcess], failures: int) -> None:
        """Load the model; ``load`` is called again after a crash, and at each reload.

        After ``failures`` consecutive ones a bundle gets no tasks until a probe succeeds.

        Raises:
            StartError: the model cannot be loaded.
        """
        self._load = load
        self._model = load()
        self._is_loaded = True
        self._health = CircuitBreaker(failures, time.monotonic)
        self._reloaded: tuple[ModelProcess, int] | None = None
        self._reload_thread: threading.Thread | None = None
        self._generation: int | None = None
        self._tried: int | None = None
        self._error: str | None = None

    @property
    def models(self) -> list[str]:
        """Names of the bundles."""
        return list(self._model.models)

    def bundle_of(self, task: InferenceTask) -> str:
        """Return the name of the bundle for a task."""
        return task.model or self._model.default

    def healthy(self) -> list[str]:
        """Return the bundles that take tasks; an empty name stands for tasks without a model."""
        unhealthy = self._health.unhealthy
        healthy = [name for name in self._model.models if name not in unhealthy]
        return ["", *healthy] if self._model.default in healthy else healthy

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Run inference. After an exception the model must be restarted."""
        return self._model.predict(tasks)

    def record_success(self, model: str) -> None:
        """Record that a bundle finished a task."""
        self._health.record_success(model)

    def record_failure(self, reason: str, model: str | None = None) -> None:
        """Record that one bundle, or all of them, failed without a task being the cause."""
        self._health.record_failure(self.models if model is None else [model], reason)

    def restart_model(self) -> bool:
        """End the model and load it again. If that fails, all bundles are unhealthy: False."""
        self._model.close()
        try:
            self._model = self._load()
        except StartError as error:
            log.error("model does not start", extra={"reason": str(error)})  # noqa: TRY400
            self._health.record_failure(self.models, str(error), open_now=True)
            self._is_loaded = False
        else:
            self._is_loaded = True
        return self._is_loaded

    def probe(self, model: str) -> str | None:
        """Fill a blank window with a bundle. Returns why that failed, or None."""
        if not self._is_loaded:
            return self._health.unhealthy.get(model, "the model does not start")
        try:
            [result] = self._model.predict(
                [InferenceTask(bytes(WINDOW_BYTES), "a cat", 0, model=model)]
            )
        except Exception as error:
            self.restart_model()
            return describe(error)
        return describe(result) if isinstance(result, Exception) else None

    def refresh(self) -> bool:
        """Between two batches: switch to reloaded bundles, and probe unhealthy ones.

        Returns whether there are new bundles.
        """
        is_new = self._reloaded is not None
        if self._reloaded is not None:
            self._switch(*self._reloaded)
        due = [name for name in self._health.unhealthy if self._health.probe_due(name)]
        if due and (self._is_loaded or self.restart_model()):
            for name in due:
                self._probe_unhealthy(name)
        return is_new

    def check_reload(self, generation: int) -> None:
        """Start to load the bundles again, beside the old ones, if a reload was requested."""
        if self._generation is None:
            self._generation = self._tried = generation
        if self._reload_thread is None and self._reloaded is None and generation != self._tried:
            self._tried = generation
            self._reload_thread = threading.Thread(
                target=self._reload, args=[generation], daemon=True
            )
            self._reload_thread.start()

    def facts(self) -> Mapping[str, Any]:
        """Return what each heartbeat reports of the model."""
        model = self._model
        return {
            "models": model.models,
            "engines": model.engines,
            "default": model.default,
            "generation": self._generation or 0,
            "tried": self._tried or 0,
            "error": self._error,
            "unhealthy": self._health.unhealthy,
        }

    def close(self) -> None:
        """End the model, and a reloaded one that is not used yet."""
        self._model.close()
        if self._reloaded is not None:
            self._reloaded[0].close()

    def _probe_unhealthy(self, name: str) -> None:
        if name not in self._model.models:
            self._health.record_success(name)  # a reload has removed it
            return
        reason = self.probe(name)
        if reason is None:
            self._health.half_open(name)
            log.info("bundle healthy again", extra={"model": name})
        else:
            self._health.record_failure([name], reason)
            log.warning("bundle unhealthy", extra={"model": name, "reason": reason})

    def _reload(self, generation: int) -> None:
        try:
            self._reloaded = (self._load(), generation)
        except Exception as error:  # the old bundles stay in use
            self._error = str(error) if isinstance(error, StartError) else describe(error)
            log.exception("reload failed")
        self._reload_thread = None

    def _switch(self, model: ModelProcess, generation: int) -> None:
        old, self._model, self._generation = self._model, model, generation
        self._is_loaded = True
        for name in self._health.unhealthy:
            self._health.record_success(name)
        self._reloaded, self._error = None, None
        old.close()
        log.info("reloaded", extra={"models": model.models})
