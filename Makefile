# `make demo` and `make test` need Python 3.11 or newer, pip and make; they build .venv themselves.
#
#   make demo     the whole library at work on real data (about two minutes)
#   make test     the tests, one in three of the slow ones
#   make test-all all tests
#   make torture  exits, forks, signals, guard pages and ten thousand layers: hours; ARGS="--share 0.1" for a tenth
#   make lint     ruff and mypy
#   make bench    this machine, beside whatever is installed
#   make wheel    dist/: what is published, both sdists and the wheels made from them; fastlstm's with compiled code for
#                 x86-64-v3 and v4, or FASTLSTM_PREBUILT= for a pure one
#   make playground    CodeMirror for the playground's page, built with npm into the linter; without, it has its own editor
#   make docs     the site, in build/site; a dead link is an error. make docs ARGS=serve to look at it while writing
#   make test-lowest   the linter and the layers on the lowest versions that pyproject.toml admits
#   make test-gpu, bench-gpu    the agreement suite and the benchmark on an NVIDIA GPU
#
# torch is a test dependency only, asked for by its exact version and before everything else: an index that offers a
# CPU build then wins, where a bare `torch` would bring several GB of CUDA. Elsewhere:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test

PYTHON ?= python3
TORCH := torch==2.13.0
BIN := .venv/bin

# Most tests use one core: on each, up to four, a file of them runs. A process may take 2 GB.
BESIDE := -n auto --maxprocesses 4 --dist loadfile

.PHONY: demo test test-all test-lowest torture lint bench wheel docs playground test-gpu bench-gpu clean

demo: .venv/.demo
	$(BIN)/fastlstm demo

test: .venv/.dev
	$(BIN)/python -m pytest $(BESIDE) $(ARGS)

test-all: .venv/.dev
	FASTLSTM_SLOW=all $(BIN)/python -m pytest $(BESIDE) $(ARGS)

torture: .venv/.dev
	$(BIN)/python tests/torture/run.py $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py

bench: .venv/.bench
	$(BIN)/fastlstm bench $(ARGS)

FASTLSTM_PREBUILT ?= v3,v4

wheel: .venv/.dev $(if $(shell command -v npm),playground)
	rm -rf dist
	cd lint && $(abspath $(BIN))/python -m hatchling build -t sdist -d $(abspath dist)
	$(BIN)/python -m hatchling build -t sdist -d dist
	FASTLSTM_PREBUILT=$(FASTLSTM_PREBUILT) $(BIN)/python -m pip wheel --no-deps --no-build-isolation -w dist dist/*.tar.gz

playground:
	cd lint/editor && npm ci --no-audit --no-fund && npm run build

ARGS_DOCS = $(or $(ARGS),build --strict --site-dir build/site)

docs: build/docs/.made
	NO_MKDOCS_2_WARNING=1 build/docs/bin/mkdocs $(ARGS_DOCS)

build/docs/.made: pyproject.toml
	$(PYTHON) -m venv build/docs
	build/docs/bin/python -m pip install -U 'pip>=25.1'
	build/docs/bin/python -m pip install --group docs
	touch $@

# No torch: what needs it is left out.
test-lowest:
	$(PYTHON) tests/lowest.py build/lowest
	build/lowest/bin/python -m pytest -p no:cacheprovider tests/lint tests/test_floors.py tests/layers tests/reference $(ARGS)

# These want a GPU, and for the comparison a torch built for CUDA, so they take the Python that is given to them and
# install nothing: make test-gpu GPU_PYTHON=python3
GPU_PYTHON ?= $(BIN)/python

test-gpu:
	$(GPU_PYTHON) -m pytest tests/cuda tests/torch/test_gpu.py -p no:cacheprovider $(ARGS)

bench-gpu:
	$(GPU_PYTHON) benchmarks/gpu.py $(ARGS)

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache

# One stamp per extra, inside .venv: pip runs again only when a project's file has changed since.
PROJECTS := pyproject.toml lint/pyproject.toml hatch_build.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.demo: $(PROJECTS) | .venv/bin/python
	$(BIN)/python -m pip install -e '.[demo]'
	touch $@

.venv/.torch: $(PROJECTS) | .venv/bin/python
	$(BIN)/python -m pip install '$(TORCH)'
	touch $@

.venv/.dev: $(PROJECTS) .venv/.torch
	$(BIN)/python -m pip install -e '.[dev]'
	touch $@

.venv/.bench: $(PROJECTS) .venv/.torch
	$(BIN)/python -m pip install -e '.[bench]'
	touch $@
