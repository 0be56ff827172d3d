# Thin wrappers over ordinary commands; each line works by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# How many processes the tests are shared among: one more than two cores have, because a quarter of
# the time a test waits. They and what they start take some six gigabytes.
WORKERS ?= 3
# The tests start some hundred servers: each would compile the whole source again.
export PYTHONDONTWRITEBYTECODE :=

# `tests` is a folder too.
.PHONY: setup demo test check lint types tests torture docs bench scale lock stubs sbom audit spark
.DEFAULT_GOAL := setup

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Landbridge needs Python 3.11 or newer; set PYTHON=/path/to/python3")'
	@echo "Setting up $(VENV) from requirements.lock (about a minute)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	@$(BIN)/landbridge demo $(ARGS)

test: setup
	@$(MAKE) --no-print-directory check

# Fastest first; types take one core, and tests wait for sockets and disks now and then.
check: lint
	@$(MAKE) --no-print-directory -j2 types tests

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python proto/generate.py --check
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

tests:
	$(BIN)/pytest -n $(WORKERS)

# The privacy audit at full length; ARGS="--effort 0.05" for a look. See docs/audit.md.
torture: setup
	$(BIN)/python -m tests.torture $(ARGS)

# The documentation as a site, in build/site.
docs: setup
	$(BIN)/python -m docs.site build/site

bench: setup
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

# The tables and the picture of docs/scale.md; ARGS=--measure takes the measurements first.
scale: setup
	@$(BIN)/python -m bench.scale $(ARGS)

# The lock file names hashes and no index address; needs uv.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --no-config --no-emit-index-url --no-emit-find-links -o requirements.lock

# Their tools live in a folder of their own: what they need is no part of the product.
SUPPLY := build/supply

$(SUPPLY)/.complete: distribution/supply.lock
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# What the product is made of, every package with its hashes, as CycloneDX.
sbom: $(SUPPLY)/.complete
	$(SUPPLY)/bin/cyclonedx-py requirements requirements.lock --output-reproducible -o build/landbridge.cdx.json

# Known weaknesses of the packages in the lock; asks the package index's advisories.
audit: $(SUPPLY)/.complete
	$(SUPPLY)/bin/pip-audit --disable-pip --require-hashes -r requirements.lock

# Apache Spark's programs, for the tests of that engine: some 450 MB that nothing else needs.
SPARK := build/spark

spark: $(SPARK)/.complete

$(SPARK)/.complete: distribution/spark.lock
	rm -rf $(SPARK)
	mkdir -p $(SPARK)
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -d $(SPARK) -r $<
	tar -xzf $(SPARK)/pyspark-*.tar.gz -C $(SPARK) --wildcards '*/deps/jars/*'
	rm $(SPARK)/pyspark-*.tar.gz
	@touch $@

stubs: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python proto/generate.py
