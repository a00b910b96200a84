SHELL := /bin/bash
PORT ?= 8000
# Web and worker need only what the program runs on; everything else is development.
LOCK := $(if $(filter web worker,$(MAKECMDGOALS)),requirements.lock,requirements-dev.lock)
INSTALLED := .venv/$(LOCK).installed
PYTHON := .venv/bin/python
export PORT
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo demo-data test lint bench lock web worker clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## Set up the demo store and serve it until Ctrl-C (PORT=8001 make demo: on another port)
	@LOCAL=true exec $(PYTHON) manage.py demo

demo-data: $(INSTALLED) ## Set up the demo store without serving it
	@LOCAL=true exec $(PYTHON) manage.py demo --data-only

# The demo may go on running: tests have a database server of their own.
test: export LOCAL := true
test: export DATA_DIR := $(CURDIR)/.data/test
test: export DATABASE_DURABLE := false
test: $(INSTALLED) ## Check style, types, imports, migrations and settings, then run the tests
	ruff format --check .
	ruff check .
	mypy .
	lint-imports
	$(PYTHON) manage.py makemigrations --check
	$(PYTHON) manage.py check --fail-level WARNING
	LOCAL=false SECRET_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" ALLOWED_HOSTS=shop.example.com \
		DATABASE_URL=postgresql://localhost/loyaltyflow EMAIL_URL=smtp+tls://localhost:587 \
		$(PYTHON) manage.py check --deploy --fail-level WARNING
	pytest

lint: export LOCAL := true
lint: $(INSTALLED) ## Format the code, then check style, types and imports
	ruff format .
	ruff check --fix .
	mypy .
	lint-imports

bench: $(INSTALLED) ## Measure the product against bare SQL (SCALE=1000000 make bench: at full size)
	@LOCAL=true DATA_DIR=$(CURDIR)/.data/bench exec $(PYTHON) manage.py bench

# From the public index alone, whatever this machine is set up with: every hash is one that everybody gets.
COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL PIP_CONFIG_FILE=/dev/null \
	CUSTOM_COMPILE_COMMAND="make lock" pip-compile --quiet --upgrade --allow-unsafe --strip-extras --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host pyproject.toml
lock: $(INSTALLED) ## Choose the newest allowed version of each package and write both lock files
	@$(COMPILE) --output-file=requirements.lock
	@$(COMPILE) --extra=demo --extra=dev --output-file=requirements-dev.lock

web: $(INSTALLED) ## Serve the pages, as in production (docs/operating.md)
	@$(PYTHON) manage.py collectstatic --no-input --verbosity 0
	@exec gunicorn loyaltyflow.wsgi --bind $${BIND:-127.0.0.1:$(PORT)} --workers $${WEB_WORKERS:-2} --threads 8

worker: $(INSTALLED) ## Do the background work, as in production; several may run, on several hosts
	@exec $(PYTHON) manage.py qcluster

clean: ## Remove .venv and .data, the demo's data included
	@for data in .data .data/test .data/bench; do \
		if [ -x $(PYTHON) ] && [ -d $$data/postgres ]; then $(PYTHON) -m loyaltyflow.embedded $$data/postgres || exit 1; fi; \
	done
	rm -rf .venv .data

$(INSTALLED): $(LOCK)
	@set -eo pipefail; \
	if ! $(PYTHON) -c "" 2>/dev/null; then \
		for found in $${PYTHON3:-python3.13 python3.12 python3.11 python3}; do \
			$$found -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && break; found=; \
		done; \
		[ "$$found" ] || { echo "LoyaltyFlow needs Python 3.11 or newer; found: $$(python3 --version 2>/dev/null || echo none)." \
			"Install one, or name it: PYTHON3=/path/to/python3 make $(MAKECMDGOALS)"; exit 1; }; \
		$$found -c "import ensurepip, venv" 2>/dev/null || { echo "$$found lacks the venv module." \
			"On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }; \
		rm -rf .venv; $$found -m venv .venv; \
	fi; \
	total=$$(grep -c '^[a-z0-9].*==' $(LOCK)); echo "Installing $$total packages, once …" >&2; \
	if [ -t 2 ]; then end='\033[K\r'; else end='\n'; fi; \
	$(PYTHON) -m pip install --disable-pip-version-check --require-hashes -r $(LOCK) \
		| awk -v total=$$total -v end="$$end" '/^(Collecting|Requirement already)/ { n++; printf "  %d of %d: %s" end, n, total, $$0; fflush() }' >&2; \
	touch $@
