"""Prepared data for the tests of training."""

import pytest

from tests.helpers.training.small_run import write_prepared
from training.data.memory_dataset import load_split


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="session")
def pictures(prepared):
    return load_split(prepared, "train")
