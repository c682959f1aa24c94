"""MkDocs hook: fill the pages that hold a marker with text generated from the code.

A marker is a line `<!-- generate: NAME -->`. The text is made at each build, so that it cannot
differ from the code. Plain Markdown is generated here, and no plug-in is used for it: the plug-ins
for OpenAPI and typer know neither our problem documents nor our settings.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import http_api
import layers
import recipe_keys
import service_settings
from tables import table

from training.evaluation.benchmarks.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
MARKER = re.compile(r"^<!-- generate: ([\w-]+) -->$", re.MULTILINE)
CARD = "models/weights/default/README.md"


def readme() -> str:
    """Return the README with its links made relative to the site's first page."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = text.replace(f"]({CARD})", "](results/model-card.md)")
    text = re.sub(r"\[([^\]]+)\]\((?!docs/|results/|http|#)[^)]+\)", r"\1", text)
    return text.replace("](docs/", "](")


def model_card() -> str:
    """Return the shipped bundle's card, one heading level down, without picture and metadata."""
    text = (ROOT / CARD).read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)\n*", "", text)
    return re.sub(r"^#", "##", text, flags=re.MULTILINE)


def objective_guide() -> str:
    """Return the guide that lies beside the objectives, without its title."""
    text = (ROOT / "training/losses/objectives/README.md").read_text(encoding="utf-8")
    return text.partition("\n")[2].strip()


def measures() -> str:
    """Return the bounds and the definitions of all measures."""
    bounds = [
        (f"{target.title} (`{name}`)", target.required_text(), target.bound_text(target.goal))
        for name, target in TARGETS.items()
    ]
    definitions = [f"- **{one.title}**: {one.definition}." for one in TARGETS.values()]
    return table(("measure", "must reach", "reach for"), bounds) + "\n" + "\n".join(definitions)


PAGES: dict[str, Callable[[], str]] = {
    "readme": readme,
    "model-card": model_card,
    "objective-guide": objective_guide,
    "http-api": http_api.page,
    "layers": layers.page,
    "measures": measures,
    "settings": service_settings.page,
    "service-commands": commands.service,
    "training-commands": commands.training,
    "recipes": recipe_keys.page,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page (called by MkDocs for each page)."""
    return MARKER.sub(lambda found: PAGES[found[1]](), markdown)
