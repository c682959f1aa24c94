"""The reference of the HTTP API, generated from docs/openapi.json."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tables import table

DOCUMENT = Path(__file__).resolve().parents[1] / "openapi.json"
METHODS = ("get", "post", "put", "delete")


def page() -> str:
    """Return a section for each operation, and one for each schema."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    operations = "".join(
        operation(method, path, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    )
    schemas = "".join(schema(*item) for item in sorted(document["components"]["schemas"].items()))
    return f"{operations}\n## Schemas\n\n{schemas}"


def operation(method: str, path: str, item: dict[str, Any]) -> str:
    """Return the section of one route and method."""
    parts = [f"## {method.upper()} {path}", item.get("description", "").replace("``", "`")]
    if parameters := item.get("parameters"):
        rows = [
            (f"`{p['name']}`", p["in"], type_of(p["schema"]), p.get("description", ""))
            for p in parameters
        ]
        parts.append(table(("parameter", "in", "type", "meaning"), rows))
    for media, content in item.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Body: `{media}`")
        parts.append(fields(content["schema"]))
    parts.append(table(("status", "meaning"), answers(item["responses"])))
    return "\n\n".join(part for part in parts if part) + "\n\n"


def answers(responses: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a status and its meaning, with the problems it may be."""
    for status, response in responses.items():
        text = response.get("description", "").rstrip(".") + "."
        if headers := response.get("headers"):
            text += " Headers: " + ", ".join(f"`{name}`" for name in headers) + "."
        yield status, text


def schema(name: str, item: dict[str, Any]) -> str:
    """Return the section of one schema."""
    text = item.get("description", "").replace("``", "`")
    if values := item.get("enum"):
        text += "\n\nOne of " + ", ".join(f"`{value}`" for value in values) + "."
    return f"### {name}\n\n{text}\n\n{fields(item)}\n"


def fields(item: dict[str, Any]) -> str:
    """Return a table of an object's properties; of each of them where it may be several."""
    options = item.get("anyOf") or item.get("oneOf")
    if options and "properties" not in item:
        return "\n\n".join(filter(None, map(fields, options)))
    if "$ref" in item:
        return type_of(item)
    required = item.get("required", ())
    rows = [
        (
            f"`{name}`",
            type_of(field),
            "yes" if name in required else "",
            field.get("description", ""),
        )
        for name, field in item.get("properties", {}).items()
    ]
    return table(("field", "type", "required", "meaning"), rows) if rows else ""


def type_of(item: dict[str, Any]) -> str:
    """Return the type of a value in words, with its range."""
    if reference := item.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if options := item.get("anyOf") or item.get("oneOf"):
        return " or ".join(map(type_of, options))
    kind = str(item.get("type", "any"))
    if kind == "array":
        kind = f"list of {type_of(item.get('items', {}))}"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {item[key]:,}" for key, sign in limits.items() if key in item]
    return ", ".join([kind, *bounds])
