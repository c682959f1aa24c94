# The worker: it takes jobs from the queue and runs the network.
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

# torch alone first: by far the largest layer, and the one that changes least.
# For a host without GPU build with PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu (5 GB less).
ARG PIP_EXTRA_INDEX_URL
RUN pip install "torch>=2.6"

# With them comes OpenVINO, which fills where CAPTIONFILL_DEVICE is a CPU; on a GPU torch does.
# Dependencies before source: with no package beside it, pyproject.toml installs them alone.
WORKDIR /src
COPY pyproject.toml ./
RUN touch README.md LICENSE && pip install "./[worker]"

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
