"""What the README names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", README)


def test_every_promise_names_a_test():
    table = README.split("### Promises")[1].split("\n\n")[2]
    rows = table.splitlines()[2:]
    assert len(rows) >= 15 and all("`tests/" in row for row in rows)


@pytest.mark.parametrize(("path", "name"), PROMISES)
def test_the_tests_that_hold_a_promise_are_there(path, name):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in tests if name else any(test.startswith("test_") for test in tests)


def test_the_places_to_change_are_there():
    table = README.split("## Where to change what")[1].split("\n\n")[1]
    named = re.findall(r"`((?:models|service|training|docker|docs|tests)/[\w./-]+)`", table)
    assert len(named) > 30 and [path for path in named if not (ROOT / path).exists()] == []
