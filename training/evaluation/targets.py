"""The targets of docs/measures.md: what a bundle is measured by, and which values are required."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A measure: title, definition, and bounds, each `None` where there is none.

    Attributes:
        required: the bound that must be met.
        goal: the bound to aim for.
        at_most: whether less is better, so that bounds are upper bounds.
        lower_bound: what the whole 95% interval must lie above.
        number_format: of the value and its bounds.
    """

    title: str
    definition: str
    required: float | None = None
    goal: float | None = None
    at_most: bool = False
    lower_bound: float | None = None
    number_format: str = ".3f"

    def meets(self, bound: float | None, value: float) -> bool | None:
        """Return whether a value meets a bound; `None` if there is no bound."""
        if bound is None:
            return None
        return value <= bound if self.at_most else value >= bound

    def required_met(self, value: float, low: float | None) -> bool | None:
        """Return whether the requirement is met; `low` is the lower end of the interval."""
        met = self.meets(self.required, value)
        if self.lower_bound is None:
            return met
        return met is not False and low is not None and low > self.lower_bound

    def goal_met(self, value: float, low: float | None) -> bool | None:
        """Return whether the goal is met, for which the requirement must be met too."""
        met = self.meets(self.goal, value)
        return met and self.required_met(value, low) is not False

    def required_text(self) -> str:
        """Return the requirement in words."""
        parts = [self.bound_text(self.required)] if self.required is not None else []
        if self.lower_bound is not None:
            parts.append(f"interval above {self.lower_bound:{self.number_format}}")
        return ", ".join(parts) or "–"

    def bound_text(self, bound: float | None) -> str:
        """Return a bound in words."""
        if bound is None:
            return "–"
        return f"{'≤' if self.at_most else '≥'} {bound:{self.number_format}}"


def ratio_target(title: str, definition: str, required: float, goal: float) -> Target:
    """Make the target of a ratio, where less is better."""
    return Target(title, definition, required, goal, at_most=True)


def decibel_target(title: str, definition: str, required: float, goal: float) -> Target:
    """Make the target of a gain in PSNR."""
    return Target(title, definition, required, goal, number_format="+.2f")


LEAST = "the least of Telea's, Navier–Stokes' and the biharmonic method's"
DRAW = "of a drawn fill (the first noise, the true caption)"
PAIRED = "the mean of the paired differences with a bootstrap interval over the pictures"
OTHER = "the other bundle's on the same pictures with the same captions"

TARGETS = {
    "kid_ratio": ratio_target(
        "KID against the best classical",
        f"KID of the composites {DRAW} divided by {LEAST}",
        1 / 4,
        1 / 8,
    ),
    "kid_ratio_second": ratio_target(
        "KID by a second network",
        f"the same on features of a network that was never used in training, of at most 1,000 "
        f"pictures: KID of the composites {DRAW} divided by {LEAST}",
        1 / 3,
        1 / 6,
    ),
    "psnr_draw": decibel_target(
        "hole-PSNR of a draw, dB above the best classical",
        f"hole-PSNR {DRAW} less that of the classical method whose mean is highest; {PAIRED}",
        -1,
        0.5,
    ),
    "psnr_mean": decibel_target(
        "hole-PSNR of the mean of 16 draws, dB above the best classical",
        "the same for the mean of 16 fills of one picture that differ in their noise alone, "
        f"rounded to 8 bits, on at most 400 pictures of the set, evenly spaced; {PAIRED}",
        1,
        2,
    ),
    "psnr_still": decibel_target(
        "hole-PSNR without noise, dB above the best classical",
        "the same for the one fill of each picture at temperature 0, which is the mean's head of a "
        f"generator that was trained for it, on all pictures of the set; {PAIRED}",
        1,
        2,
    ),
    "against_kid": ratio_target(
        "KID against another bundle",
        f"KID of the composites {DRAW} divided by {OTHER}",
        1 / 2,
        1 / 4,
    ),
    "against_psnr": decibel_target(
        "hole-PSNR of a draw, dB above another bundle",
        f"hole-PSNR {DRAW} less {OTHER}; {PAIRED}",
        0,
        1,
    ),
    "against_psnr_mean": decibel_target(
        "hole-PSNR of the mean of 16 draws, dB above another bundle",
        f"the same for the mean of 16 draws of either, on the pictures of `psnr_mean`; {PAIRED}",
        0,
        1,
    ),
    "against_psnr_still": decibel_target(
        "hole-PSNR without noise, dB above another bundle",
        f"the same for the fills at temperature 0 of either, on all pictures of the set; {PAIRED}",
        0,
        1,
    ),
    "seam": ratio_target(
        "seam ratio (1 = real)",
        f"seam ratio {DRAW}: the step across the hole's border over that of the real pictures",
        1.15,
        1.05,
    ),
    "diversity": Target(
        "diversity of draws",
        "mean Euclidean distance between the features of all pairs of 4 fills of one picture "
        "(the same caption, other noise), divided by the mean distance between the centres of "
        "different real pictures of the set; features of the 32×32 alone; bootstrap interval over "
        "the pictures, which are those of `psnr_mean`",
        0.15,
        0.3,
    ),
    "captions_help": Target(
        "captions help, %",
        "how much nearer the fill with the true caption is to the real centre than the fill with "
        "another picture's caption and the same noise, in Euclidean distance of features of the "
        "32×32 alone, in per cent of the mean distance with the wrong caption; bootstrap interval "
        "over the pictures",
        None,
        5,
        lower_bound=0,
        number_format="+.2f",
    ),
    "captions_steer": Target(
        "captions steer: share of the way from floor to ceiling",
        "R-precision@1 of 100 by a judge, a caption–picture scorer trained on real centres alone: "
        "how often the judge puts a fill's own caption first among 100 (Xu et al. 2018), pictures "
        "dealt into hundreds 20 times, two draws; the floor is that of fills without a caption, "
        "the ceiling that of real centres, and the figure (true − floor) / (ceiling − floor); "
        "bootstrap interval over the pictures",
        1 / 3,
        2 / 3,
    ),
    "class_words": Target(
        "class words steer",
        "share of pictures in whose composite ImageNet's classifier (softmax over the 200 classes "
        "of Tiny ImageNet) finds the true class likelier when its name was given than when "
        "another class's was, the noise the same; a tie is half; Wilson's interval",
        0.65,
        0.85,
    ),
    "colour_words": Target(
        "colour words steer",
        "share of captions that name the colour of their main thing or of what it wears, one a "
        "picture, in which naming another colour instead moves the mean colour of the fill towards "
        "it: in a*b* of CIELAB along the line between the two words' colours, or in L* where one "
        "of the words is black or white; colours are the means over 4 fills, whose noise is the "
        "same for both captions; a tie is half; Wilson's interval",
        0.60,
        0.75,
        lower_bound=0.5,
    ),
    "milliseconds": Target(
        "milliseconds an image",
        "median wall time of one image at a time in this process, the caption already embedded",
        6,
        3,
        at_most=True,
        number_format=".1f",
    ),
    "ranking": Target(
        "the first ranked of 8 against a random one",
        "the judge's score (cosine) of the fill that the bundle's own scorer puts first among 8 "
        "draws, less the judge's mean score of the first 4 of them, which nobody chose; the mean "
        "of the paired differences with a bootstrap interval over the pictures of `psnr_mean`",
        lower_bound=0,
        number_format="+.4f",
    ),
    "ranking_precision": Target(
        "the same in R-precision@1",
        "the same for R-precision@1 of 100 by the judge",
        lower_bound=0,
        number_format="+.3f",
    ),
}
