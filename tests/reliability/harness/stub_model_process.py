"""Model process with the stub model: a crash ends this process only, not the worker."""

import sys

from service.worker.model_process import serve
from tests.helpers.service.stub_model import StubModel

if __name__ == "__main__":
    serve(int(sys.argv[1]), lambda: StubModel(float(sys.argv[2])))
