"""`/`: the files of the page, and their headers."""

import json
import re
from pathlib import Path

import pytest

import service.api

pytestmark = pytest.mark.server

FOLDER = Path(service.api.__file__).parent / "page"


def test_the_policy_allows_this_site_alone(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "//" not in page.text and not re.search(r"<script(?! type=\"module\" src)", page.text)
    assert not re.search(r"\s(style|on[a-z]+)=", page.text)


def test_every_file_of_the_page_is_served(client):
    for path in FOLDER.iterdir():
        if path.name != "index.html":
            answer = client.get(f"/page/{path.name}")
            assert (answer.status_code, answer.content) == (200, path.read_bytes())


def test_no_other_file_is_served(client):
    for name in ("index.html", "..%2fapp.py", "%2e%2e%2fapp.py", "x.js", ".css", f"{'x' * 256}.js"):
        assert client.get(f"/page/{name}").status_code == 404


def test_the_page_is_small():
    sizes = {path: path.stat().st_size for path in FOLDER.iterdir()}
    shown = [
        size for path, size in sizes.items() if path.suffix != ".webp" or "-small" in path.name
    ]
    assert sum(shown) <= 300_000


def test_each_example_has_its_images_and_credit():
    examples = json.loads((FOLDER / "examples.json").read_text("utf-8"))
    assert len(examples) == 6
    for name, example in examples.items():
        assert (FOLDER / f"{name}.webp").is_file() and (FOLDER / f"{name}-small.webp").is_file()
        assert "CC" in example["credit"] and example["caption"]
