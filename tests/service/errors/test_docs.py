import json
import re
from pathlib import Path

import pytest

from captionfill.errors import StartError
from service.errors.catalogue import catalogue, example, page

COMMITTED = Path(__file__).parents[3] / "docs" / "problems.md"
SLUGS = [kind.slug for kind in catalogue().values() if kind is not StartError]


def test_the_page_is_in_step_with_the_catalogue():
    assert COMMITTED.read_text() == page(), "run `make fix`"


@pytest.mark.parametrize("slug", SLUGS)
def test_every_problem_has_a_section_with_a_document(slug):
    (section,) = re.findall(rf"^## {slug}\n(.*?)(?=^## |\Z)", page(), re.M | re.S)
    document = json.loads(re.search(r"```json\n(.*?)```", section, re.S)[1])
    assert document == example(catalogue()[slug]) and document["type"] == f"/problems/{slug}"


def test_every_retryable_problem_says_when():
    for kind in catalogue().values():
        assert kind.status not in (429, 503) or int(kind("").headers["Retry-After"]) > 0
