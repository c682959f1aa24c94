"""The page of the suites' figures: `python -m tests.reliability.page > docs/reliability.md`."""

import json
import sys
from pathlib import Path
from typing import Any

PLACE = Path(__file__).resolve().parents[2] / "docs" / "reliability"

INTRODUCTION = """# Reliability

Five suites run the whole service under faults and load. Each has a full run, and a
short run in `make test` that also contains a defective service which the suite must
detect. The figures below are from full runs on two cores with other load, with Python
processes on loopback: read times as upper bounds. This page is written by
`python -m tests.reliability.page` from the JSON files in `docs/reliability/`, which hold
all figures.

`make faults` runs faults, abuse, fuzz and memory; `make contract` runs the contract. Both
print their figures, and fail if a bound is exceeded.
"""

WORDS = {
    "faults": """Real API and worker processes use a real Valkey with `appendfsync always`. The
model is a stub with known fills, so that every pixel of every answer is checked. Lost,
wrong and twice stored results must be 0. The defective worker loses one job in fifty.

- *kills*: one of three workers is killed by SIGKILL every second.
- *blips*: connections to Valkey are cut, or writes are refused for less than a lease, again
  and again.
- *reclaim*: time until an idle worker answers the job of a killed one (0.3 s of it is the
  fill).
- *api*: the API is killed by SIGKILL again and again.
- *rolling*: API and workers are replaced under load, with a new connection for each
  request and no retries.
- *queue-away*: Valkey is killed by SIGKILL under load and is away for ten seconds.
- *poison*: one job in a batch of sixteen crashes its model process;
  *poison-kills-worker*: the whole worker.
- *full*: time until a full queue refuses a request.""",
    "abuse": """Mixed requests, a third of them bad: broken bodies, early disconnects, slow
clients, wrong types, bombs, path traversal, header floods. Every good answer is checked
pixel by pixel.""",
    "fuzz": """Every parser of client data gets mutated real files, in processes that may crash:
pictures, masks, archives, forms, signed addresses of events and names of the page's files.
Only the service's own errors may be raised, within a second of CPU time for each input.""",
    "memory": """Many requests of all kinds to one API and one worker. Resident memory after
the warm-up must stay constant. The defective service leaks.

Open uploads (`tests/reliability/test_uploads.py`): of sixty uploads of 8 MiB, a budget of
256 MiB accepts 32 and refuses the others unread. While they are open the API uses 9 MiB
more, and 24 MiB more at its peak when all of them end; with forms kept in memory it would
be 264 MiB. The bound is 1 MiB for each upload plus 48 MiB while they are open, and the
budget plus 48 MiB at the end.""",
    "contract": """Schemathesis tests the running service, with API keys on, against the committed
OpenAPI document. All of its checks are on except the one of response times. Three checks are
added: every problem is in the operation's examples, every image can be decoded, and every
answer has its security headers. Generated images, zips and regions are replaced by real ones
that match, so that good requests are answered and bad ones are refused for their defect.
Every successful answer of the document must occur. The addresses that the document leaves
out, which are the pages and their files, are checked for their status, media type, security
headers, HEAD and other methods. The defective service has eleven deviations.""",
}


def page() -> str:
    """The page, of the suites whose figures are there."""
    return "\n".join([INTRODUCTION, *(_section(name) for name in WORDS if _file(name).exists())])


def _file(name: str) -> Path:
    return PLACE / f"{name}.json"


def _section(name: str) -> str:
    record = json.loads(_file(name).read_text(encoding="utf-8"))
    rows = [row for case, found in record["figures"].items() for row in _rows(case, found)]
    table = ["| | |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)]
    facts = f"{record['date']}, `{record['command']}`, Python {record['python']}:"
    return "\n".join([f"## {name.capitalize()}\n", WORDS[name], "", facts, "", *table, ""])


def _rows(name: str, found: Any) -> list[tuple[str, str]]:
    """One row a figure; a case of plain figures is one row of all of them."""
    if isinstance(found, dict) and any(isinstance(one, dict | list) for one in found.values()):
        plain = {key: one for key, one in found.items() if not isinstance(one, dict | list)}
        nested = [(key, one) for key, one in found.items() if isinstance(one, dict | list)]
        rows = _rows(name, plain) if plain else []
        return rows + [row for key, one in nested for row in _rows(f"{name}: {_say(key)}", one)]
    return [(_say(name), _value(found))] if found not in ({}, []) else [(_say(name), "none")]


def _value(found: Any) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{_say(key)} {_value(one)}" for key, one in found.items())
    if isinstance(found, list):
        return ", ".join(map(_value, found))
    return f"{found:,}" if isinstance(found, int) and not isinstance(found, bool) else str(found)


def _say(name: str) -> str:
    return name.replace("_", " ").replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
