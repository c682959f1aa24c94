"""Keywords: which pictures are hard and which are easy, by the words of their captions.

The words are those that Flickr8k's captions use. A picture may have several keywords, or none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from training.evaluation.metrics.confidence import bootstrap_interval
from training.experiments.captions.word_swaps import words_of

MIN_PICTURES = 8
ALL_PICTURES = "(all pictures)"
KEYWORDS = {
    "faces": "face faces smile smiles smiling grin grins grinning laughing frowning eyes mouth "
    "tongue beard makeup portrait closeup",
    "people": "people person crowd group couple team family someone somebody pedestrians adults",
    "men": "man men guy guys gentleman male males",
    "women": "woman women lady ladies female females",
    "children": "child children kid kids boy boys girl girls toddler toddlers baby babies",
    "dogs": "dog dogs puppy puppies greyhound greyhounds poodle terrier collie retriever",
    "other animals": "cat cats horse horses bird birds duck ducks seagull cow cows sheep goat "
    "monkey fish elephant camel animal animals",
    "sports": "football soccer baseball basketball tennis hockey rugby volleyball golf player "
    "players team teams game race racing racer athlete surfer surfing surfboard skier skiing skis "
    "snowboarder snowboarding skateboarder skateboarding skateboard wrestling gymnast",
    "wheels": "bike bikes bicycle bicyclist biker bikers cyclist cyclists motorcycle motorbike car "
    "cars truck bus scooter",
    "water": "water ocean sea lake river pool waves wave surf stream pond waterfall swimming "
    "splashing",
    "beach": "beach sand sandy shore shoreline",
    "snow": "snow snowy ice icy sled sledding skiing skier snowboarder snowboarding",
    "grass": "grass grassy lawn field meadow",
    "rocks": "rock rocks rocky cliff boulder mountain mountains climber climbing climbs",
    "street": "street road sidewalk city crosswalk traffic downtown pavement alley",
    "buildings": "building buildings house houses wall walls fence brick stairs steps bridge",
    "indoors": "indoors inside room couch sofa bed kitchen table carpet floor restaurant stage",
    "in the air": "air midair jumping jumps jump leaps leaping flying flies flip flips",
}


def keyword_rows(captions: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Return the rows of each keyword's pictures, by all captions of each picture."""
    found = [keywords_of(texts) for texts in captions]
    rows = {name: [row for row, names in enumerate(found) if name in names] for name in KEYWORDS}
    return {ALL_PICTURES: list(range(len(found)))} | rows


def keywords_of(captions: Iterable[str]) -> set[str]:
    """Return the keywords of a picture with these captions."""
    words = words_of(captions)
    return {name for name, members in KEYWORDS.items() if words & set(members.split())}


def by_keyword(
    rows: Mapping[str, list[int]], figures: Mapping[str, Mapping[str, Tensor]], seed: int
) -> dict[str, dict[str, Any]]:
    """Return the mean of each figure over each keyword's pictures, of every run.

    Args:
        rows: keyword -> pictures; those with fewer than `MIN_PICTURES` are left out.
        figures: run -> figure -> `(N,)`, one a picture.
        seed: of the resamples.

    Returns:
        keyword -> count and, by run, figure -> mean and 95% interval; the easiest first, by the
        first figure of the first run, of which more is better.
    """
    means: dict[str, dict[str, Any]] = {
        keyword: {
            "pictures": len(chosen),
            "runs": {
                run: {
                    name: asdict(bootstrap_interval(values[chosen], seed))
                    for name, values in of_run.items()
                }
                for run, of_run in figures.items()
            },
        }
        for keyword, chosen in rows.items()
        if len(chosen) >= MIN_PICTURES
    }
    run = next(iter(figures))
    first = next(iter(figures[run]))
    easiest = sorted(means, key=lambda keyword: -means[keyword]["runs"][run][first]["mean"])
    return {keyword: means[keyword] for keyword in easiest}


def draw_keywords(keywords: Mapping[str, Mapping[str, Any]], figures: Mapping[str, str]) -> Figure:
    """Draw a panel for each figure: keywords down, a point with its interval for every run.

    `keywords` is the result of `by_keyword`, `figures` are names and titles of the panels.
    """
    drawing = Figure(
        figsize=(5 * len(figures) + 1, 0.36 * len(keywords) + 1.2), layout="constrained"
    )
    panels = drawing.subplots(1, len(figures), sharey=True, squeeze=False)[0]
    runs = [*next(iter(keywords.values()))["runs"]]
    places = np.arange(len(keywords))
    for axes, (name, label) in zip(panels, figures.items(), strict=True):
        for number, run in enumerate(runs):
            spans = [of["runs"][run][name] for of in keywords.values()]
            mean, low, high = (np.array([s[end] for s in spans]) for end in ("mean", "low", "high"))
            heights = places + 0.18 * (number - (len(runs) - 1) / 2)
            ends = [mean - low, high - mean]
            axes.errorbar(mean, heights, xerr=ends, fmt="o", markersize=4, label=run)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    texts = [f"{keyword} ({of['pictures']})" for keyword, of in keywords.items()]
    panels[0].set_yticks(places, texts)
    panels[0].invert_yaxis()
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return drawing
