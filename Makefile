# Everything a developer does, each by one word. `make` alone lists the words.
# Needs nothing but Python 3.11 to 3.14; each environment is built on first use and again when its pins change.

VENV := .venv
DEV := .venv-dev
BIND ?= 127.0.0.1:8000
# Processes that share the suite; tests of one file stay together. One more than there are
# processors, because tests wait for disks and servers half of their time.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
ARGS ?=
# The README's walk-through, storage's promises, forms: a minute that every Python can show itself in.
SHORT_PART := tests/e2e/test_readme.py tests/storage/contract tests/http/test_forms.py \
	-k "local and not postgresql"

PIP_COMPILE := $(DEV)/bin/python -m piptools compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
CODE := softfactory config.py wsgi.py gunicorn.conf.py scripts $(wildcard tests benchmarks)

.DEFAULT_GOAL := help
.PHONY: help run test short coverage trust lint bench format requirements upgrade-requirements clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name says; do \
		printf '  make %-22s %s\n' "$$name" "$$says"; done

run: $(VENV)/.installed ## Serve on port 8000 (BIND=0.0.0.0:8000 for other machines too)
	@$(VENV)/bin/python scripts/write_env.py
	@exec $(VENV)/bin/python -m gunicorn -c gunicorn.conf.py --bind $(BIND) $(ARGS) wsgi:app

test: $(DEV)/.installed ## Run the whole suite; choose with ARGS="tests/http -k name"
	$(DEV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

coverage: ## Run it with the lines and branches that it covers, which takes half as long again
	$(MAKE) test ARGS="--cov --cov-report=term:skip-covered $(ARGS)"

trust: $(DEV)/.installed ## Kill, crowd, attack and try at random, for long: KILLS=200 SECONDS=120 CLIENTS=64 EXAMPLES=200 ATTACK_SECONDS=10 SEED=1 ARGS="-k crash"
	TRUST_SEED=$(or $(SEED),1) TRUST_KILLS=$(or $(KILLS),200) TRUST_SECONDS=$(or $(SECONDS),120) \
		TRUST_CLIENTS=$(or $(CLIENTS),64) TRUST_EXAMPLES=$(or $(EXAMPLES),200) \
		TRUST_ATTACK_SECONDS=$(or $(ATTACK_SECONDS),10) \
		$(DEV)/bin/python -m pytest -s --hypothesis-seed=$(or $(SEED),1) tests/trust $(ARGS)

short: ## A short part of it on another Python, in an environment of its own: PYTHON=/path/to/python3.13
	$(MAKE) test DEV=.venv-$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])') PYTHON="$(PYTHON)" \
		ARGS='$(SHORT_PART) $(ARGS)'

lint: $(DEV)/.installed ## Check style, types, layers and known weaknesses
	$(DEV)/bin/python -m ruff check .
	$(DEV)/bin/python -m ruff format --check .
	$(DEV)/bin/python -m mypy $(CODE)
	$(DEV)/bin/lint-imports --no-cache
	$(DEV)/bin/python -m pip check
	$(DEV)/bin/python -m bandit --quiet --severity-level medium --recursive --configfile pyproject.toml $(CODE)

bench: $(DEV)/.installed ## Measure the service beside nginx and copyparty; ARGS="--quick" or "--only NAME"
	$(DEV)/bin/python -m benchmarks $(ARGS)

format: $(DEV)/.installed ## Put the code into its one format
	$(DEV)/bin/python -m ruff check --fix-only --select I,UP .
	$(DEV)/bin/python -m ruff format .

requirements: $(DEV)/.installed ## Compile requirements*.in into pinned, hashed requirements*.txt
	@$(DEV)/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and \
		"Pins are compiled with Python 3.11, the oldest: rm -r $(DEV), then make requirements PYTHON=...")'
	$(PIP_COMPILE) $(ARGS) --output-file requirements.txt requirements.in
	$(PIP_COMPILE) $(ARGS) --output-file requirements-fast.txt requirements-fast.in
	$(PIP_COMPILE) $(ARGS) --output-file requirements-dev.txt requirements-dev.in

upgrade-requirements: ## The same, with every pin moved to its newest release
	$(MAKE) requirements ARGS=--upgrade

clean: ## Remove environments and caches; never .env, the database or any file that was uploaded
	rm -rf $(VENV) $(DEV) .venv-3.* .venv-aws .venv-copyparty .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: requirements.txt requirements-fast.txt scripts/make_venv.sh
	@PYTHON="$(PYTHON)" sh scripts/make_venv.sh $(VENV) requirements.txt

$(DEV)/.installed: requirements-dev.txt requirements.txt requirements-fast.txt scripts/make_venv.sh
	@PYTHON="$(PYTHON)" sh scripts/make_venv.sh $(DEV) requirements-dev.txt
