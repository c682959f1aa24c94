"""A linear SVM on given features, its regularisation chosen without the test pictures."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

# Features are scaled to a length of about 1 whatever their number, so one grid fits all.
GRID = (0.001, 0.01, 0.1, 1.0)
# Of the solver; beyond, less regularised fits to thousands of features take many minutes.
ITERATIONS = 100
HELD_OUT = 0.2  # of the training pictures, to choose from the grid on
PROBE = (
    "linear L2-SVM, one against the rest (scikit-learn's LinearSVC), on standardised features "
    f"divided by the root of their number; C of {GRID} by the accuracy on a fifth of the training "
    "pictures, then fitted again to all of them; accuracy on the test pictures with its 95% Wilson "
    "interval"
)


@dataclass(frozen=True)
class ProbeResult:
    """The accuracy of a linear classifier on features.

    Attributes:
        dimensions: of the features.
        c: chosen regularisation.
        held_out: accuracy on the pictures that C was chosen on, by C.
        right: bool `(N,)`, which test pictures were classified rightly.
        converged: whether the solver of the last fit came to its end within `ITERATIONS`.
    """

    dimensions: int
    c: float
    held_out: dict[str, float]
    right: np.ndarray
    converged: bool

    @property
    def accuracy(self) -> float:
        """Share of the test pictures."""
        return float(self.right.mean())

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers, the accuracy with its interval."""
        test = binomtest(int(self.right.sum()), len(self.right))
        low, high = test.proportion_ci(method="wilson")
        return {
            "accuracy": self.accuracy,
            "low": float(low),
            "high": float(high),
            "dimensions": self.dimensions,
            "C": self.c,
            "held_out_accuracy": self.held_out,
            "converged": self.converged,
        }


def probe(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    seed: int = 0,
) -> ProbeResult:
    """Fit a linear SVM to features float `(N, D)` and test it on `(M, D)`.

    Every class is needed ten times. `seed` is of what is held out, and of the solver.
    """
    fit, held, fit_labels, held_labels = train_test_split(
        train, train_labels, test_size=HELD_OUT, stratify=train_labels, random_state=seed
    )
    accuracies = {c: fit_svm(c, seed, fit, fit_labels).score(held, held_labels) for c in GRID}
    best = max(accuracies, key=lambda c: accuracies[c])  # of equals, the most regularised
    last = fit_svm(best, seed, train, train_labels)
    by_c = {f"{c:g}": float(accuracy) for c, accuracy in accuracies.items()}
    converged = bool(last[-1].n_iter_ < ITERATIONS)
    return ProbeResult(train.shape[1], best, by_c, last.predict(test) == test_labels, converged)


def fit_svm(c: float, seed: int, features: np.ndarray, labels: np.ndarray) -> Pipeline:
    """Fit the classifier without the solver's warning, which the result reports as `converged`."""
    pipeline = make_pipeline(
        StandardScaler(),
        FunctionTransformer(lambda scaled: scaled / np.sqrt(scaled.shape[1])),
        LinearSVC(C=c, dual="auto", random_state=seed, tol=1e-2, max_iter=ITERATIONS),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(features, labels)
