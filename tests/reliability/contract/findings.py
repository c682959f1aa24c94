"""Findings of a run of the contract suite, and whether it passed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.reliability.contract.checks import OURS

CHECKS = {
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
    "positive_data_acceptance", "missing_required_header", "unsupported_method",
    "allow_header_conformance", "use_after_free", "ensure_resource_availability", "ignored_auth",
    "object_level_authorization", *OURS,
}  # fmt: skip


@dataclass
class Findings:
    """What a run has seen.

    Attributes:
        answers: number by operation and status.
        checks: how often each passed.
        modes: cases by whether they fit the document ("positive") or not.
        callers: requests by whose they were.
        failures: by operation, check and what was wrong: how often, and the first case.
        pages: addresses outside the document that were checked.
        unseen: answers without an error that the document has, and that never came.
        errors: of schemathesis itself: it could not test something.
    """

    answers: Counter = field(default_factory=Counter)
    checks: Counter = field(default_factory=Counter)
    modes: Counter = field(default_factory=Counter)
    callers: Counter = field(default_factory=Counter)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: int = 0
    unseen: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(self.modes.values())

    def add(self, recorder: Any) -> None:
        """Count what one scenario has done."""
        for name, interaction in recorder.interactions.items():
            case = recorder.cases[name].value
            status = interaction.response.status_code if interaction.response else "no answer"
            self.answers[f"{case.operation.label} {status}"] += 1
            self.callers[case.auth_identity or "nobody"] += 1
        for name, checks in recorder.checks.items():
            case = recorder.cases[name].value
            self.modes[case.meta.generation.mode.value if case.meta else "derived"] += 1
            for check in checks:
                if check.failure_info is None:
                    self.checks[check.name] += 1
                else:
                    self._fail(case, check, recorder.interactions.get(name))

    def _fail(self, case: Any, check: Any, interaction: Any) -> None:
        failure = check.failure_info.failure
        name = f"{case.operation.label}: {check.name}: {failure.title}: {failure.message[:300]}"
        first = {"times": 0, "example": _describe(case, interaction)}
        self.failures.setdefault(name, first)["times"] += 1

    def figures(self) -> dict[str, Any]:
        by_operation: dict[str, dict[str, int]] = {}
        for name, number in sorted(self.answers.items()):
            operation, _, status = name.rpartition(" ")
            by_operation.setdefault(operation, {})[status] = number
        return {
            "cases": self.cases,
            "requests": self.answers.total(),
            "pages": self.pages,
            "modes": dict(self.modes),
            "callers": dict(self.callers),
            "failures": sum(failure["times"] for failure in self.failures.values()),
            "errors": len(self.errors),
            "unseen": self.unseen,
            "answers": by_operation,
            "checks": dict(sorted(self.checks.items())),
        }

    def broken(self, least: int) -> list[str]:
        """What keeps the run from having passed; empty where nothing does."""
        found = [f"{e['times']} × {name}\n{e['example']}" for name, e in self.failures.items()]
        found += [f"schemathesis could not test: {error}" for error in self.errors]
        found += [f"never answered: {name}" for name in self.unseen]
        found += [f"never checked: {name}" for name in CHECKS - self.checks.keys()]
        if not self.callers["stranger"]:
            found.append("nobody tried to see another's jobs")
        if self.cases < least:
            found.append(f"{self.cases} cases are less than {least}")
        return found


def _describe(case: Any, interaction: Any) -> str:
    """What was sent and what came, without the bytes of pictures."""
    body = case.body
    if isinstance(body, dict):
        body = {name: _shorten(value) for name, value in body.items()}
    response = interaction and interaction.response
    answer = f"{response.status_code} {response.content[:400]!r}" if response else "no answer"
    headers = {name: case.headers[name] for name in case.headers if name != "X-API-Key"}
    asked = f"{case.method} {case.formatted_path} {headers} {case.query}"
    how = case.meta and f"{case.meta.phase.name} {getattr(case.meta.phase.data, 'description', '')}"
    return f"    {how}: {asked[:800]} {str(body)[:800]}\n    -> {answer}"


def _shorten(value: Any) -> Any:
    if isinstance(value, list):
        return [_shorten(one) for one in value]
    return f"{len(value.data)} bytes" if hasattr(value, "data") else value
