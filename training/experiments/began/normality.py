"""Normality of a sample: three tests, and the distance from normal."""

from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.05
NORMALITY = {
    "shapiro": "Shapiro & Wilk 1965: W and its p",
    "dagostino": "D'Agostino & Pearson 1973: K² of skewness and kurtosis, and its p",
    "anderson": "Anderson & Darling 1952: A² and its p, which is known between 0.01 and 0.15 alone",
    "qq_correlation": "of the ordered values with normal quantiles: 1 lies on a straight line",
    "kurtosis": "in excess of the normal's 3",
    "rejected_by": f"tests with p below {LEVEL}; of many pictures, they find any small deviation",
}


def normality(values: np.ndarray) -> dict[str, Any]:
    """Test whether values are normally distributed.

    Args:
        values: `(N,)`, 20 to 5000 of them, not all the same.

    Returns:
        Plain numbers, explained in `NORMALITY`.
    """
    found = {
        "shapiro": stats.shapiro(values),
        "dagostino": stats.normaltest(values),
        "anderson": stats.anderson(values, "norm", method="interpolate"),
    }
    tests = {
        name: {"statistic": float(test.statistic), "p": float(test.pvalue)}
        for name, test in found.items()
    }
    return {
        "pictures": len(values),
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)),
        "skewness": float(stats.skew(values)),
        "kurtosis": float(stats.kurtosis(values)),
        "qq_correlation": float(stats.probplot(values)[1][2]),
        **tests,
        "rejected_by": [name for name, test in tests.items() if test["p"] < LEVEL],
    }
