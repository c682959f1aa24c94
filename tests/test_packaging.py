"""What a wheel must carry besides Python files."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_package_data_file_is_packed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]
    for package in ("models", "service", "training"):
        packed = {path for glob in patterns[package] for path in (ROOT / package).glob(glob)}
        there = {
            path
            for path in (ROOT / package).rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc", ".md")
        }
        assert there <= packed, there - packed
