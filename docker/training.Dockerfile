# Training: prepare, train, resume, evaluate, export. The CUDA libraries come with torch's wheels,
# the driver from the host (see worker.Dockerfile).
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    HF_HUB_OFFLINE=1 \
    HOME=/home/captionfill \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# torch.compile builds its kernels with the system's C++ compiler while training.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

# The user who owns the mounted run directories, so that what a run writes is theirs.
ARG UID=1000
RUN useradd --create-home --uid "$UID" captionfill \
    && install --directory --owner=captionfill /data /runs

# torchvision is built against one torch, so the two come together and from one index.
ARG PIP_EXTRA_INDEX_URL
RUN pip install "torch>=2.6" "torchvision>=0.21"

# Dependencies before source: with no package beside it, pyproject.toml installs them alone.
WORKDIR /src
COPY pyproject.toml ./
RUN touch README.md LICENSE && pip install "./[training]"

COPY README.md LICENSE ./
COPY captionfill captionfill
COPY models models
COPY training training
RUN pip install --no-deps --force-reinstall .

USER ${UID}
WORKDIR /home/captionfill
VOLUME ["/data", "/runs"]
# A batch job: its exit code says how it went, there is nothing to poll.
HEALTHCHECK NONE
ENTRYPOINT ["captionfill-train"]
CMD ["--help"]
