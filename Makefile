# make demo: train and compare on the built-in data.   make test: run the tests.
# make lint: ruff, mypy and the import layers.   make coverage: the tests' coverage, in a table.   make docs: the site, into build/site.
# make evidence: the modes against oracles and simpler ways, over noises and seeds.   FULL=1: all of it, in hours; what is in benchmarks/results is not run again.
# make interop: read what annotation tools write, with the tools themselves; installs them into build/interop (1.3 GB).
# make bench: measure speed and memory, in a table (benchmarks/results/speed.md); for a machine that does nothing else.
# Each sets up what it needs first and repeats nothing that is already there.

PYTHON ?= python3
BIN := .venv/bin
DEMO := experiments/demo/people.yaml
RUNS := output/coco_to_mpii/pose_resnet_10/people
DEMO_MODES := baseline2 ours1 ours2

# A process for each core, at most four: each of them loads torch.
PYTEST := $(BIN)/python -m pytest -q -n auto --maxprocesses 4 -m "not slow"

# A layer over .venv: the tools bring their own OpenCV and NumPy, which must not replace the project's.
INTEROP := build/interop
SITE_PACKAGES := -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])'

EVIDENCE := output/evidence.json
EVIDENCE_METHODS := baseline1,baseline2,baseline3,ours1,ours2,oracle1,oracle2,small_loss
EVIDENCE_NOISE := exchange:0.6,jitter:0.6
EVIDENCE_SEEDS := 100,101
ifdef FULL
EVIDENCE := benchmarks/results/evidence.json
EVIDENCE_METHODS := baseline1,baseline2,baseline3,ours1,ours1_retrained,ours2,oracle1,oracle2,small_loss,small_loss_retrained
EVIDENCE_NOISE := exchange:0.6,jitter:0.6,person_swap:0.4,offset:0.5,none,exchange:0.3,jitter:0.3,person_swap:0.2,offset:0.25
EVIDENCE_SEEDS := 100,101,102,103,104
endif

.PHONY: help setup extension data demo evidence bench test interop coverage lint docs clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: .venv/ready extension

.venv/ready: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "error: Python 3.10 or newer is needed; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "making .venv and installing the requirements (a few minutes, several GB)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

extension: .venv/ready
	@$(MAKE) --no-print-directory -C lib PYTHON=$(BIN)/python

data: setup
	@$(BIN)/python pose_estimation/make_people.py --output data/people

# ours2 takes the network and the weights of ours1 as its source model, which it would train in the same way.
demo: data
	@$(BIN)/python pose_estimation/run_modes.py --cfg $(DEMO) --modes ours1,baseline2
	@$(BIN)/python pose_estimation/run_modes.py --cfg $(DEMO) --modes ours2 LBI.SOURCE_CKPT $(RUNS)/ours1/last.pth
	@$(BIN)/python pose_estimation/compare.py $(DEMO_MODES:%=$(RUNS)/%/results.json)

evidence: setup
ifdef FULL
	$(BIN)/python benchmarks/modes.py --cfg $(DEMO) --modes baseline2,baseline3 --tune --tune-seeds 0 \
		--noise $(EVIDENCE_NOISE) --seeds $(EVIDENCE_SEEDS) --out $(EVIDENCE)
endif
	$(BIN)/python benchmarks/modes.py --cfg $(DEMO) --modes $(EVIDENCE_METHODS) --noise $(EVIDENCE_NOISE) \
		--seeds $(EVIDENCE_SEEDS) --out $(EVIDENCE)

bench: setup
	$(BIN)/python benchmarks/all.py

test: setup
	$(PYTEST)

$(INTEROP)/ready: requirements-interop.txt .venv/ready
	$(PYTHON) -m venv --clear $(INTEROP)
	$(BIN)/python $(SITE_PACKAGES) > "$$($(INTEROP)/bin/python $(SITE_PACKAGES))/project.pth"
	$(INTEROP)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-interop.txt
	@touch $@

interop: setup $(INTEROP)/ready
	$(INTEROP)/bin/python -m pytest -q -m interop tests/interop

coverage: setup
	@mkdir -p build
	$(PYTEST) --cov=lib --cov=pose_estimation --cov-report=term

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir build/site

clean:
	rm -rf .venv build data/people data/evidence
	@$(MAKE) --no-print-directory -C lib clean
