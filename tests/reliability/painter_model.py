"""The stub model in a model process: what kills it, kills it alone."""

import sys

from service.worker.model_process import serve
from tests.helpers.service.stub_model import StubModel

if __name__ == "__main__":
    serve(int(sys.argv[1]), lambda: StubModel(float(sys.argv[2])))
