"""Checks the names of all tests: a long name says what the body should."""

import ast
from pathlib import Path

MAX_WORDS = 8


def test_names_have_at_most_eight_words():
    functions = (
        node
        for path in Path(__file__).parent.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    names = (node.name.removeprefix("test_") for node in functions if node.name.startswith("test_"))
    assert [name for name in names if len(name.split("_")) > MAX_WORDS] == []
