# The API process: it checks uploads, queues jobs and composes answers. It never imports torch,
# so neither torch nor the networks are in this image.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    HOME=/home/captionfill \
    HOST=0.0.0.0 \
    PORT=8000 \
    REDIS_URL=redis://redis:6379/0

ARG UID=1000
RUN useradd --create-home --uid "$UID" captionfill \
    && install --directory --owner=captionfill --mode=0700 /keys

# Dependencies first: with no package beside it, pyproject.toml installs them and nothing else,
# so that a change of source does not fetch them again.
WORKDIR /src
COPY pyproject.toml ./
RUN touch README.md LICENSE && pip install .

COPY README.md LICENSE ./
COPY captionfill captionfill
COPY service service
RUN pip install --no-deps --force-reinstall .
COPY docker/healthcheck.py /opt/healthcheck.py

# A number and not a name: Kubernetes' runAsNonRoot can check it.
USER ${UID}
WORKDIR /home/captionfill
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "/opt/healthcheck.py", "api"]
ENTRYPOINT ["captionfill"]
CMD ["api"]
