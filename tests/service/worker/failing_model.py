"""A model process whose device fails; arguments: DESCRIPTOR raise:MESSAGE or return:MESSAGE."""

import sys

from service.worker.model_process import serve
from tests.helpers.service.stub_model import StubModel


class Failing(StubModel):
    def __init__(self, how, message):
        super().__init__()
        self.how, self.error = how, RuntimeError(message)

    def predict(self, tasks):
        if self.how == "raise":
            raise self.error
        return [self.error] * len(tasks)


if __name__ == "__main__":
    serve(int(sys.argv[1]), lambda: Failing(*sys.argv[2].split(":", 1)))
