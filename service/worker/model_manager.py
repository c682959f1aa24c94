"""A worker's model through its life: loaded, probed, restarted, and replaced by a newer one."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from captionfill.errors import StartError
from service.observability.logs import describe
from service.queue.task import WINDOW_BYTES, InferenceResult, InferenceTask
from service.worker.circuit_breaker import CircuitBreaker

log = logging.getLogger("captionfill.worker")


class TaskModel(Protocol):
    """What a worker needs of a model."""

    models: dict[str, str]
    engines: dict[str, str]
    default: str

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Fill every piece of work, or say why not; `ModelCrashedError` where it died of it."""

    def close(self) -> None:
        """End it."""


class ModelManager:
    """Holds the model of a worker, and knows which of its bundles can be relied on.

    All methods but `follow` and `facts` are for the thread that fills.
    """

    def __init__(self, load: Callable[[], TaskModel], failures: int) -> None:
        """Load the model.

        Args:
            load: makes a model: at the start, after its death, and at each reload.
            failures: in a row, after which a bundle gets no more work until it fills a probe.

        Raises:
            StartError: the model cannot be loaded.
        """
        self._load = load
        self._model = load()
        self._is_loaded = True
        self._health = CircuitBreaker(failures, time.monotonic)
        self._fresh: tuple[TaskModel, int] | None = None
        self._reloading: threading.Thread | None = None
        self._generation: int | None = None
        self._tried: int | None = None
        self._error: str | None = None

    @property
    def models(self) -> list[str]:
        """Names of the bundles."""
        return list(self._model.models)

    def name_of(self, task: InferenceTask) -> str:
        """The bundle that a piece of work is filled by."""
        return task.model or self._model.default

    def served(self) -> list[str]:
        """The bundles that take work; an empty name stands for work that names none."""
        unhealthy = self._health.unhealthy
        healthy = [name for name in self._model.models if name not in unhealthy]
        return ["", *healthy] if self._model.default in healthy else healthy

    def predict(self, tasks: Sequence[InferenceTask]) -> list[InferenceResult | Exception]:
        """Do as the model does. After any exception the model is to be restarted."""
        return self._model.predict(tasks)

    def succeeded(self, model: str) -> None:
        """Take note that a bundle did real work."""
        self._health.succeeded(model)

    def failed(self, reason: str, model: str | None = None) -> None:
        """Take note that one bundle failed, or all of them did, through no fault of the work."""
        self._health.failed(self.models if model is None else [model], reason)

    def restart(self) -> bool:
        """End the model and load it again; False, and all bundles unhealthy, where that fails."""
        self._model.close()
        try:
            self._model = self._load()
        except StartError as error:
            log.error("model does not start", extra={"reason": str(error)})  # noqa: TRY400
            self._health.failed(self.models, str(error), for_good=True)
            self._is_loaded = False
        else:
            self._is_loaded = True
        return self._is_loaded

    def probe(self, model: str) -> str | None:
        """Fill one known window by a bundle.

        Returns:
            Why the bundle cannot fill even that, or None where it can.
        """
        if not self._is_loaded:
            return self._health.unhealthy.get(model, "the model does not start")
        try:
            [fill] = self._model.predict(
                [InferenceTask(bytes(WINDOW_BYTES), "a cat", 0, model=model)]
            )
        except Exception as error:
            self.restart()
            return describe(error)
        return describe(fill) if isinstance(fill, Exception) else None

    def refresh(self) -> bool:
        """Between two batches: change to newly loaded bundles, give unhealthy ones a probe.

        Returns:
            Whether there are new bundles.
        """
        is_new = self._fresh is not None
        if self._fresh is not None:
            self._renew(*self._fresh)
        due = [name for name in self._health.unhealthy if self._health.is_due(name)]
        if due and (self._is_loaded or self.restart()):
            self._probe_all(due)
        return is_new

    def follow(self, generation: int) -> None:
        """Load the bundles anew beside the old ones where that was asked for since the start."""
        if self._generation is None:
            self._generation = self._tried = generation
        if self._reloading is None and self._fresh is None and generation != self._tried:
            self._tried = generation
            self._reloading = threading.Thread(target=self._reload, args=[generation], daemon=True)
            self._reloading.start()

    def facts(self) -> Mapping[str, Any]:
        """What the worker tells of its model with each heartbeat."""
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
        """End the model, and one that was loaded and not used yet."""
        self._model.close()
        if self._fresh is not None:
            self._fresh[0].close()

    def _probe_all(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._model.models:
                self._health.succeeded(name)  # a reload has dropped it
                continue
            reason = self.probe(name)
            if reason is None:
                self._health.passed(name)
                log.info("bundle takes work again", extra={"model": name})
            else:
                self._health.failed([name], reason)
                log.warning("bundle unhealthy", extra={"model": name, "reason": reason})

    def _reload(self, generation: int) -> None:
        try:
            self._fresh = (self._load(), generation)
        except Exception as error:
            # The old bundles go on serving.
            self._error = str(error) if isinstance(error, StartError) else describe(error)
            log.exception("reload failed")
        self._reloading = None

    def _renew(self, model: TaskModel, generation: int) -> None:
        old, self._model, self._generation = self._model, model, generation
        self._is_loaded = True
        for name in self._health.unhealthy:
            self._health.succeeded(name)
        self._fresh, self._error = None, None
        old.close()
        log.info("reloaded", extra={"models": model.models})
