import json

from tests.reliability.page import PLACE, WORDS, page


def test_page_of_figures_matches_the_measurements():
    assert (PLACE.parent / "reliability.md").read_text(encoding="utf-8") == page()


def test_every_suite_has_figures_within_all_bounds():
    for name in WORDS:
        record = json.loads((PLACE / f"{name}.json").read_text(encoding="utf-8"))
        assert record["figures"] and not record["figures"].get("broken")
