"""A painter in a model process: what kills it, kills it alone."""

import sys

from service.worker.model_process import answer
from tests.service.painter import Painter

if __name__ == "__main__":
    answer(int(sys.argv[1]), lambda: Painter(float(sys.argv[2])))
