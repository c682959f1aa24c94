"""The page of the suites' figures: `python -m tests.reliability.page > docs/reliability.md`."""

import json
import sys
from pathlib import Path
from typing import Any

PLACE = Path(__file__).resolve().parents[2] / "docs" / "reliability"

INTRODUCTION = """# How reliable the service is, measured

Each suite runs whole by name and shortened in `make test`; each has a negative
control there that it must catch. The figures below are of whole runs on two
cores beside other work, with Python processes on loopback: read times as upper
bounds. They are written by `python -m tests.reliability.page` from the JSON
files in [`reliability/`](reliability/), which hold everything that was
measured.

`make faults` runs faults, abuse, fuzz and memory, `make contract` the contract;
both print their figures and end with an error where a bound is broken.
"""

WORDS = {
    "faults": """Real API and worker processes around a real Valkey with `appendfsync always`;
the model is a painter whose fills are known, so that every pixel of every
answer is checked. *kills*: one of three workers dies by SIGKILL every second.
*reclaim*: how long the job of a killed worker waits for its answer by an idle
one, which takes 0.3 s for it. *api*: the API dies by SIGKILL again and again.
*rolling*: API and workers are replaced under load, a new connection for each
request, nobody asks twice. *queue-away*: Valkey dies by SIGKILL under load and
is away for ten seconds. *poison*: one job in a batch of sixteen kills its
model; *poison-kills-worker*: or the whole worker. *full*: how soon a full queue
says so. Lost, wrong and twice stored must be 0. The control's workers lose one
job in fifty on purpose.""",
    "abuse": """Mixed requests, a third of them bad: broken bodies, early disconnects, slow
clients, wrong types, bombs, traversal names, header floods. Every good one is
checked pixel by pixel.""",
    "fuzz": """Whatever reads a client's bytes, on mutated real files, in processes that may
die of them. Nothing but the service's own errors may come out, within a second
of CPU an input.""",
    "memory": """Many requests of all kinds through one API and one worker; resident memory after
the warm-up must stay flat. The control leaks on purpose.

Open uploads (`tests/reliability/test_uploads.py`): of sixty uploads of 8 MiB, a
budget of 256 MiB takes 32 and refuses the others unread. While they are open
the API is 9 MiB larger, and 24 MiB at its peak when all of them end; with forms
kept in memory it would be 264 MiB. The bound is 1 MiB an upload and 48 MiB
while open, the budget and 48 MiB at the end.""",
    "contract": """Schemathesis against the running service with API keys on, from the committed
OpenAPI document: each of its checks is on but that of a longest time, besides three of ours: every
problem is one that the operation has an example of, every picture can be decoded, every answer has
its security headers. Pictures, zips and regions in what it makes up are replaced by real ones that
go together, so that good requests are answered and bad ones refused for what is bad in them. Every
answer of the document that is no error must come. The control is a service with nine lies.""",
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
