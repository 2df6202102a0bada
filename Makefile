# `make` lists the targets. What is set up once is remembered by a stamp file, and redone when its inputs change.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo pilot reproduce test test-slow fuzz chaos load lint frontend screenshots lighthouse clean

BIN := .venv/bin
NODE := scripts/with-node.sh
PYTHON_INPUTS := pyproject.toml constraints.txt scripts/setup-python.sh
FRONTEND_INPUTS := $(shell find frontend -type f -not -path '*/node_modules/*' -not -path '*/dist/*')

# The demo's home: models made once are kept, and a service of your own under ~/.trapo is left alone.
DEMO_HOME := $(or $(TRAPO_HOME),$(CURDIR)/.trapo)
DEMO_SPEC := recipes/demo.yaml
SLOTS := 2

# Where tests that start the service are: finding all others too would take as long as some of them.
SERVICE_TESTS := tests/service tests/chaos tests/client tests/bench

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

setup: .venv/.stamp-dev frontend/dist/index.html ## Everything needed to work here: .venv, node packages, dashboard

demo: .venv/.stamp-embedded frontend/dist/index.html ## The whole service with TRAPO against its baselines; EXIT=1 stops after the result
	@TRAPO_HOME='$(DEMO_HOME)' $(BIN)/trapo up --submit $(DEMO_SPEC) --slots $(SLOTS) $(if $(EXIT),--exit)

pilot: .venv/.stamp-bench ## The paper's pilot experiments in half a minute: pictures, and its facts checked, in runs-local/pilot
	@$(BIN)/python -m bench.pilot $(if $(OVERVIEW),--overview $(OVERVIEW))

reproduce: .venv/.stamp-bench ## The paper's comparison in the small world, about 30 minutes: table, picture, verdicts, in runs-local/reproduce
	@TRAPO_HOME='$(DEMO_HOME)' $(BIN)/python -m bench.reproduce

test: .venv/.stamp-dev frontend/dist/index.html ## The tests: the dashboard's, then Python's with real Redis, PostgreSQL and browser
	@scripts/chromium.sh
	$(NODE) npm --prefix frontend test
	$(BIN)/pytest -m 'not slow and not browser and not service' --numprocesses=2 --dist=worksteal
# Alone on the machine: what they wait for has its time in the real world.
	$(BIN)/pytest -m 'not slow and service' --numprocesses=2 --dist=worksteal $(SERVICE_TESTS)
# A process of their own: Playwright keeps an event loop running, beside which no other test could start one.
	$(BIN)/pytest -m 'not slow' --numprocesses=2 --dist=loadfile tests/browser

test-slow: .venv/.stamp-dev frontend/dist/index.html ## The tests that take more than some ten seconds each; continuous integration runs them too
	@scripts/chromium.sh
	$(BIN)/pytest -m 'slow and not browser and not service' --numprocesses=2 --dist=worksteal
	$(BIN)/pytest -m 'slow and service' $(SERVICE_TESTS)
# One after the other: some are budgets of time.
	$(BIN)/pytest -m slow tests/browser

fuzz: .venv/.stamp-dev ## Schemathesis over every route, up to 1,000 requests each; `make test` has a short form
	FUZZ_EXAMPLES=1000 $(BIN)/pytest --timeout=3600 tests/api/test_fuzz.py

chaos: .venv/.stamp-dev ## 60 random faults over a running service, on SQLite and PostgreSQL; reports in runs-local/chaos
	CHAOS_FAULTS=$(or $(FAULTS),60) CHAOS_SEED=$(or $(SEED),1) $(BIN)/pytest --timeout=3600 -s tests/chaos

load: .venv/.stamp-dev frontend/dist/index.html ## The service under load on both databases, beside MLflow; the table in runs-local/load.md (FIGURES=…, DATABASE=…)
	$(BIN)/python -m bench.load $(FIGURES) $(if $(DATABASE),--database $(DATABASE)) --out runs-local/load.md

lint: .venv/.stamp-dev frontend/node_modules/.stamp ## ruff, mypy, import arrows, TypeScript
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NODE) npm --prefix frontend run check
	$(NODE) npm --prefix frontend run lint

frontend: frontend/dist/index.html ## Build the dashboard, if its sources changed

screenshots: .venv/.stamp-dev ## Pictures of the pages for docs/, of the demo that runs in another shell
	@scripts/chromium.sh
	@TRAPO_HOME='$(DEMO_HOME)' scripts/screenshots.sh

lighthouse: .venv/.stamp-dev frontend/dist/index.html ## Lighthouse's scores of the pages; it is installed outside of the repository
	@scripts/chromium.sh
	@scripts/lighthouse.sh

clean: ## Remove what was built; .venv and the demo's home stay
	rm -rf build frontend/dist frontend/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache test-results
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/.stamp-embedded .venv/.stamp-bench .venv/.stamp-dev: .venv/.stamp-%: $(PYTHON_INPUTS)
	@scripts/setup-python.sh $*

frontend/node_modules/.stamp: frontend/package.json frontend/package-lock.json
	@$(NODE) npm --prefix frontend ci --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/.stamp $(FRONTEND_INPUTS)
	@$(NODE) npm --prefix frontend run build
	@touch $@
