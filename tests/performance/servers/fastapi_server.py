"""A plain FastAPI route that calls the predictor: `python -m … PORT BUNDLE`."""

import sys
import threading

import uvicorn
from fastapi import FastAPI, Form, Response, UploadFile

from tests.performance.servers.predictor import load_predictor, read_request, write_answer


def create_app(bundle: str) -> FastAPI:
    app, predictor, lock = FastAPI(), load_predictor(bundle), threading.Lock()

    @app.post("/inpaint")
    def inpaint(image: UploadFile, caption: str = Form(), seed: int = Form()) -> Response:
        canvas, task = read_request(image.file.read(), caption, seed)
        with lock:
            [result] = predictor.predict([task])
        return Response(write_answer(canvas, result), media_type="image/png")

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[2]), port=int(sys.argv[1]), access_log=False, log_level="error")
