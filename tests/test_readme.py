"""The README is short, and what it links and names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
PROMISED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PROMISES)


def test_readme_has_900_to_1300_words():
    assert 900 <= len(README.split()) <= 1300


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 20 and [link for link in links if not (ROOT / link).is_file()] == []


def test_ci_runs_commands_of_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    targets = re.findall(r"^ *make ([a-z-]+)", script, re.MULTILINE)
    assert targets == ["check", "examples", "notebooks", "demo-test", "clients", "test"] and all(
        f"make {target} " in README for target in targets
    )


def test_every_promise_names_a_test():
    rows = [row for row in PROMISES.splitlines() if row.startswith("| ")][2:]
    assert len(rows) >= 15 and all("`tests/" in row for row in rows)


@pytest.mark.parametrize(("path", "name"), PROMISED)
def test_promised_tests_exist(path, name):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in tests if name else any(test.startswith("test_") for test in tests)
