# `make test` does everything on a fresh machine. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: help setup demo test stories check bench pins clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): deploy/requirements-dev.txt pyproject.toml deploy/bootstrap.sh
	@deploy/bootstrap.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what Ferry needs into $(VENV) (about a minute)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r deploy/requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP)  ## .venv with pinned dependencies, and what the machine lacks (nginx, redis, prometheus, alertmanager, chromium)
	@deploy/bootstrap.sh --quiet

demo: setup  ## the whole of it on this machine, with a page that looks like Slack
	@$(BIN)/ferry playground

check: setup  ## format, lint, types, import order: seconds
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 11

test: check  ## check, then every test but the longest stories
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not long" tests

stories: setup  ## the longest stories: a service's whole way, each with what must make it fail (some 10 minutes)
	@$(BIN)/python -m pytest -n 1 --dist loadgroup -m long tests/stories

BENCH ?= data-plane
bench: setup  ## benchmarks, one JSON object a row: BENCH=data-plane (some 20 minutes), soak (BENCH_MINUTES=30), agent, or one subject
	@$(BIN)/python -m tests.bench $(BENCH)

pins:  ## resolve the dependencies anew (writes deploy/requirements*.txt)
	@for pair in "requirements-agent:" "requirements:--extra bot" "requirements-dev:--extra bot --extra dev"; do \
	  $(BIN)/pip-compile --quiet $${pair#*:} --strip-extras --generate-hashes --no-header --no-emit-index-url \
	    --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-annotate --allow-unsafe --upgrade \
	    --output-file deploy/$${pair%%:*}.txt pyproject.toml; done

clean:  ## remove what setup and the tests left
	@rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .hypothesis build
