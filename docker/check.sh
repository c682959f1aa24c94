#!/bin/sh
# Lint every Dockerfile and let Compose read every combination of its files.
# No engine is needed. A tool that is absent is named and passed over; what is found must be right.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

if command -v hadolint >/dev/null; then
    hadolint docker/*.Dockerfile
    echo "docker: hadolint passes"
else
    echo "docker: hadolint is absent, the Dockerfiles are not linted"
fi

if docker compose version >/dev/null 2>&1; then
    compose="docker compose"
elif command -v docker-compose >/dev/null; then
    compose="docker-compose"
else
    echo "docker: docker compose is absent, the Compose files are not validated"
    exit 0
fi

cpu="-f docker-compose.yml -f docker/docker-compose.cpu.yml"
for options in "" "--profile train" "--profile monitoring" "$cpu" "$cpu --profile train-cpu"; do
    # Unquoted on purpose: both are lists of words.
    $compose $options config --quiet
done
$compose $cpu config | grep -q 'EXTRA: worker' || { echo "docker: worker-cpu has torch"; exit 1; }
echo "docker: $compose reads every combination of the files"
