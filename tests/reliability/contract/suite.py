"""Contract suite: schemathesis compares the running service with its OpenAPI document.

`python -m tests.reliability.contract [--json FILE] [--examples N] [--least CASES] [--seed N]`
"""

import argparse
import base64
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema

from service.auth.api_keys import ApiKeyFile
from tests.reliability.contract import checks, inputs, pages
from tests.reliability.contract.findings import Findings
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.report import write_report

CALLERS = ["owner", "stranger"]
PHASES = ("examples", "coverage", "fuzzing", "stateful")


def settings(folder: Path) -> tuple[dict[str, str], Path]:
    """Settings of a service with keys, and a file with two callers of it for schemathesis."""
    keys, users = folder / "keys.jsonl", folder / "users.json"
    made = {name: ApiKeyFile(keys).create(name, admin=True, rate=None) for name in CALLERS}
    headers = {name: {"name": "X-API-Key", "value": key} for name, key in made.items()}
    entries = [{"name": name, "fixedHeaders": [header]} for name, header in headers.items()]
    users.write_text(json.dumps({"auth": entries}))
    chosen = {
        "AUTH": "on",
        "KEYS_FILE": str(keys),
        "RATE_LIMIT": "0",  # the suite is over any rate; the limit has tests of its own
        "WEBHOOK_SECRET": "whsec_" + base64.b64encode(bytes(32)).decode(),
        "WEBHOOK_ALLOW": "127.0.0.1",
        "WEBHOOK_MAX_ATTEMPTS": "1",
    }
    return chosen, users


def run_contract(
    address: str,
    users: Path,
    examples: int,
    seed: int,
    phases: Sequence[str] = PHASES,
    only: Sequence[str] = (),
) -> Findings:
    """Run schemathesis against a service.

    Args:
        address: of the service.
        users: the file of callers: the first sends all, and the second must not see its jobs.
        examples: made up for each operation, and again for the sequences of operations.
        seed: of what is made up.
        phases: of schemathesis's; "stateful" are sequences of operations.
        only: operations to test, by their method and path; all where there is none.
    """
    schema = schemathesis.openapi.from_url(
        f"{address}/openapi.json", config=_config(users, examples, seed, phases)
    )
    schemathesis.hook("before_call")(_before_call)
    checks.register()
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
    if not only:
        findings.pages = len(pages.addresses())
        for fault in pages.find_faults(address):
            findings.failures[fault] = {"times": 1, "example": ""}
    findings.unseen = sorted(_promised(chosen) - set(findings.answers))
    return findings


def _before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    positive = case.meta is None or case.meta.generation.mode.is_positive
    body = getattr(case.body, "body", case.body)
    if isinstance(body, dict):
        case.body = inputs.fit(case.operation.path, body, positive=positive)
    if case.path_parameters:
        case.path_parameters.update(inputs.fit_path(case.path_parameters, positive=positive))
    if case.headers:
        fitted = inputs.fit_headers(case.headers, case.body, positive=positive)
        case.headers.update(fitted)
    # What was positive or negative is so still; looked at anew, a picture fits no JSON Schema.
    case._record_starting_state()


def _config(users: Path, examples: int, seed: int, phases: Sequence[str]) -> Any:
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "auth": {"wfc": {"path": str(users), "user": CALLERS[0], "peers": CALLERS}},
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
    parser.add_argument("--examples", type=int, default=220)
    parser.add_argument("--least", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", action="append", default=[], help="such as 'GET /healthz'")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        environment, users = settings(folder)
        with Cluster(folder, environment, fsync="everysec") as cluster:
            cluster.api()
            cluster.worker()
            cluster.wait_until_ready()
            findings = run_contract(
                cluster.address, users, options.examples, options.seed, only=options.only
            )
    broken = findings.broken(options.least)
    write_report("contract", {**findings.figures(), "broken": broken}, options.json)
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0
