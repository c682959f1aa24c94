"""The worker's model process on a machine without torch and what is built on it."""

import sys

ABSENT = ("torch", "transformers", "sentence_transformers", "models.generators", "onnx")
sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]

if __name__ == "__main__":
    from service.worker.predictor import main

    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
