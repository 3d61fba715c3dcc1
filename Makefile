# Two commands do everything: `make star.svg` draws a star, `make test` runs the tests.
# Both need only python3 (3.11 or newer, with venv) and pip's usual access to packages.

PYTHON ?= python3
VENV := .venv
DEV := .venv-dev
VPYPE := .venv-vpype
TORCH ?= torch==2.13.0

.PHONY: help test lint bench report soak arm64 clean

help:
	@echo "make star.svg   install into $(VENV) (no torch) and draw a star with the shipped model"
	@echo "make test       install everything into $(DEV) and run the tests"
	@echo "make lint       ruff, mypy and the import contract"
	@echo "make bench      the measurements of benchmarks/"
	@echo "make report     measure the shipped model on real drawings: make report QUICKDRAW=folder TEACHERS=folder"
	@echo "make soak       hours of what make test does for seconds: fuzzing, damage, hostile texts (docs/RELIABILITY.md)"
	@echo "make arm64      compare drawings with those of an emulated 64-bit Arm Debian (root, Debian or Ubuntu)"
	@echo "make clean      remove the environments and the caches"

star.svg: $(VENV)/.installed
	$(VENV)/bin/sketch-draw --class star --seed 18 --out $@

# The run-time alone: numpy, onnxruntime, click, pillow.
$(VENV)/.installed: pyproject.toml $(wildcard runtime/*.py runtime/*/*.py runtime/plot/machines/*.toml cli/*.py models/*.zip sketch_edge/*.py)
	@echo "installing into $(VENV): numpy, onnxruntime and two small packages; some minutes on a small computer"
	@$(PYTHON) -m venv $(VENV)
	@rm -rf build
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check .
	@rm -rf build
	@touch $@

# torch first and by exactly one version, so that what comes after takes the build that is already there; on Linux this
# may be a large CUDA build: `make test TORCH="torch==2.13.0+cpu"` with pip's index of CPU builds is the small way.
$(DEV)/.installed: pyproject.toml
	@echo "installing into $(DEV): $(TORCH) and everything else that the tests need"
	@$(PYTHON) -m venv $(DEV)
	@$(DEV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(DEV)/bin/python -m pip install --quiet $(TORCH)
	@$(DEV)/bin/python -m pip install --quiet --editable ".[train,export]" --group test --group lint
	@touch $@

test: $(DEV)/.installed
	$(DEV)/bin/python -m pytest $(PYTEST_ARGS)

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

bench: $(VENV)/.installed $(DEV)/.installed $(VPYPE)/.installed
	$(DEV)/bin/python benchmarks/training.py
	$(DEV)/bin/python benchmarks/drawing.py --python $(VENV)/bin/python
	$(DEV)/bin/python benchmarks/travel.py --vpype $(VPYPE)/bin/python

# The shipped model's figures and sheet in models/, from folders of drawings; docs/EVALUATION.md says which.
report: $(DEV)/.installed
	@test -d "$(QUICKDRAW)" || { echo "error: QUICKDRAW: no folder of drawings; make report QUICKDRAW=simplified [TEACHERS=samples]" >&2; exit 2; }
	$(DEV)/bin/python benchmarks/report.py "$(QUICKDRAW)" $(if $(TEACHERS),--teachers "$(TEACHERS)")

# Hypothesis examples and seconds of guided fuzzing of each parser; with these it takes a night. What was done is kept in
# SOAK_STATE, so that it may be stopped and gone on with.
SOAK_EXAMPLES ?= 100000
SOAK_SECONDS ?= 600
SOAK_STATE ?= .soak

soak: $(DEV)/.installed
	$(DEV)/bin/python -m tests.fuzz.campaign --state $(SOAK_STATE) --seconds $(SOAK_SECONDS) \
		--examples $(SOAK_EXAMPLES) --titles $(SOAK_EXAMPLES)
	$(DEV)/bin/python -m tests.fuzz.options
	$(DEV)/bin/python -m tests.fuzz.kills --kills 200
	$(DEV)/bin/python -m tests.fuzz.damage
	$(DEV)/bin/python tests/runtime/plot/soak.py $(SOAK_EXAMPLES)

# What the ordering of strokes is measured beside; apart, because it brings many packages that nothing else needs.
$(VPYPE)/.installed:
	@echo "installing into $(VPYPE): vpype, to measure beside"
	@$(PYTHON) -m venv $(VPYPE)
	@$(VPYPE)/bin/python -m pip install --quiet --disable-pip-version-check "vpype==1.15.*"
	@touch $@

clean:
	rm -rf $(VENV) $(DEV) $(VPYPE) build dist *.egg-info star.svg .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
