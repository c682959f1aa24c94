"""Whether the running service is as its OpenAPI document says: schemathesis, with every check.

`python -m tests.reliability.contract [--json FILE] [--examples N] [--least CASES] [--seed N]`
"""

import argparse
import base64
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema

from service.gate.keys import KeyFile
from tests.reliability import contract_checks, contract_inputs
from tests.reliability.cluster import Cluster
from tests.reliability.report import leave

CHECKS = {
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
    "positive_data_acceptance", "missing_required_header", "unsupported_method",
    "allow_header_conformance", "use_after_free", "ensure_resource_availability", "ignored_auth",
    "object_level_authorization", *contract_checks.OURS,
}  # fmt: skip
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Findings:
    """What a run has seen.

    Attributes:
        answers: number by operation and status.
        checks: how often each passed.
        modes: cases by whether they fit the document ("positive") or not.
        failures: by operation, check and what was wrong: how often, and the first case.
        unseen: answers without an error that the document has, and that never came.
        errors: of schemathesis itself: it could not test something.
    """

    answers: Counter = field(default_factory=Counter)
    checks: Counter = field(default_factory=Counter)
    modes: Counter = field(default_factory=Counter)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
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
            "modes": dict(self.modes),
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
    headers = {name: case.headers[name] for name in case.headers if name != "Authorization"}
    asked = f"{case.method} {case.formatted_path} {headers} {case.query}"
    how = case.meta and f"{case.meta.phase.name} {getattr(case.meta.phase.data, 'description', '')}"
    return f"    {how}: {asked[:800]} {str(body)[:800]}\n    -> {answer}"


def _shorten(value: Any) -> Any:
    if isinstance(value, list):
        return [_shorten(one) for one in value]
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def settings(folder: Path) -> tuple[dict[str, str], str]:
    """Settings of a service with keys, and an administrator's key."""
    keys = folder / "keys.jsonl"
    key = KeyFile(keys).new("contract", admin=True, rate=None)
    chosen = {
        "AUTH": "on",
        "KEYS_FILE": str(keys),
        "RATE_LIMIT": "0",  # the suite is over any rate; the limit has tests of its own
        "WEBHOOK_SECRET": "whsec_" + base64.b64encode(bytes(32)).decode(),
        "WEBHOOK_ALLOW": "127.0.0.1",
        "WEBHOOK_TRIES": "1",
    }
    return chosen, key


def examine(
    address: str,
    key: str,
    examples: int,
    seed: int,
    phases: Sequence[str] = PHASES,
    only: Sequence[str] = (),
) -> Findings:
    """Run schemathesis against a service.

    Args:
        address: of the service.
        key: of an administrator.
        examples: made up for each operation, and again for the sequences of operations.
        seed: of what is made up.
        phases: of schemathesis's; "stateful" are sequences of operations.
        only: operations to test, by their method and path; all where there is none.
    """
    schema = schemathesis.openapi.from_url(
        f"{address}/openapi.json", config=_config(key, examples, seed, phases)
    )
    schemathesis.hook("before_call")(_before_call)
    contract_checks.register()
    chosen = schema.include(name=list(only)) if only else schema
    findings = Findings()
    for event in from_schema(chosen).execute():
        if isinstance(event, events.ScenarioFinished):
            findings.add(event.recorder)
            print(f"{findings.cases} cases, {event.phase.value}: {event.label}", file=sys.stderr)
        elif isinstance(event, events.NonFatalError):
            findings.errors.append(f"{event.label}: {event.value}")
        elif isinstance(event, events.FatalError):
            findings.errors.append(repr(event.exception))
    findings.unseen = sorted(_promised(chosen) - set(findings.answers))
    return findings


def _before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    positive = case.meta is None or case.meta.generation.mode.is_positive
    body = getattr(case.body, "body", case.body)
    if isinstance(body, dict):
        case.body = contract_inputs.fit(case.operation.path, body, positive=positive)
    if case.headers:
        fitted = contract_inputs.fit_headers(case.headers, case.body, positive=positive)
        case.headers.update(fitted)
    # What was positive or negative is so still; looked at anew, a picture fits no JSON Schema.
    case._record_starting_state()


def _config(key: str, examples: int, seed: int, phases: Sequence[str]) -> Any:
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "headers": {"Authorization": f"Bearer {key}"},
            "continue-on-failure": True,
            "request-timeout": 30,
            "generation": {"max-examples": examples, "database": "none"},
            "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
        }
    )


def _promised(schema: Any) -> set[str]:
    """Every answer of the document that is no error, as it is counted."""
    return {
        f"{operation.ok().label} {status}"
        for operation in schema.get_all_operations()
        for status in operation.ok().definition.raw["responses"]
        if status < "400"
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--examples", type=int, default=250)
    parser.add_argument("--least", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", action="append", default=[], help="such as 'GET /healthz'")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        environment, key = settings(folder)
        with Cluster(folder, environment) as cluster:
            cluster.api()
            cluster.worker()
            cluster.wait_until_ready()
            findings = examine(
                cluster.address, key, options.examples, options.seed, only=options.only
            )
    broken = findings.broken(options.least)
    leave("contract", {**findings.figures(), "passed": not broken}, options.json)
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
