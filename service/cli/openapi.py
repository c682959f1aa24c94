"""Print the OpenAPI document, as `make fix` writes it to docs/openapi.json."""

import json
import sys
from typing import Any

from service.api.app import create_app
from service.api.schemas.openapi import build
from service.config.settings import load_settings


def text(document: dict[str, Any]) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with_keys = load_settings(auth="on")
    sys.stdout.write(text(build(create_app(with_keys), with_keys)))
