"""LitServe with batches of at most 16, waited for 2 ms: `python -m … PORT BUNDLE`.

It takes JSON with the image as base64: its requests go through a queue between processes, which
takes no uploaded files.
"""

import base64
import sys

import litserve
from fastapi import Response

from tests.performance.servers.predictor import load_predictor, read_request, write_answer


class FillApi(litserve.LitAPI):
    def __init__(self, bundle: str) -> None:
        super().__init__(max_batch_size=16, batch_timeout=0.002, api_path="/inpaint")
        self._bundle = bundle

    def setup(self, device):
        self._predictor = load_predictor(self._bundle)

    def decode_request(self, request):
        return read_request(
            base64.b64decode(request["image"]), request["caption"], int(request["seed"])
        )

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        results = self._predictor.predict([task for _, task in inputs])
        return [(canvas, result) for (canvas, _), result in zip(inputs, results, strict=True)]

    def unbatch(self, outputs):
        return outputs

    def encode_response(self, output):
        return Response(write_answer(*output), media_type="image/png")


if __name__ == "__main__":
    server = litserve.LitServer(FillApi(sys.argv[2]), accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False,
               log_level="error", num_api_servers=1)  # fmt: skip
