"""The notebooks are well-formed, small, and kept without outputs; `make notebooks` runs them."""

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
over_notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_four_notebooks():
    assert {path.stem for path in NOTEBOOKS} == {
        "fill", "compare-captions", "train-a-small-run", "look-into-a-bundle"}  # fmt: skip


@over_notebooks
def test_a_notebook_is_valid_and_small(path):
    nbformat.validate(nbformat.read(path, nbformat.NO_CONVERT))
    assert path.stat().st_size < 20_000


@over_notebooks
def test_a_notebook_has_no_outputs(path):
    cells = nbformat.read(path, nbformat.NO_CONVERT).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) >= 5 and len(cells) > len(code)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@over_notebooks
def test_a_notebook_is_linked_in_the_docs(path):
    page = (ROOT / "docs" / "how-to" / "examples.md").read_text(encoding="utf-8")
    assert f"](../notebooks/{path.name})" in page


def test_every_example_is_named_in_the_docs():
    page = (ROOT / "docs" / "how-to" / "examples.md").read_text(encoding="utf-8")
    files = [*(ROOT / "docs/examples/python").glob("*.py"), ROOT / "docs/examples/fill.sh"]
    files.append(ROOT / "docs/examples/comfyui/__init__.py")
    links = [f"](../{path.relative_to(ROOT / 'docs')})" for path in files]
    assert len(files) == 5 and [link for link in links if link not in page] == []
