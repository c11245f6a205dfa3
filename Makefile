# Two commands do everything: `make run` and `make test`. The rest is listed by `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/installed: requirements.lock pyproject.toml
	@test ! -L .venv || { echo ".venv is a symbolic link, and what it leads to would be emptied: remove the link"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "Tandem needs Python 3.11; found $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python lacks venv; on Debian or Ubuntu: apt-get install python3.11-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: setup
setup: .venv/installed ## create .venv from requirements.lock (hashed, pinned)

.PHONY: run
run: setup ## the whole path on SOURCE (default: the one in params.yaml) with raw files from RAW
	@tandem run $(if $(SOURCE),--source '$(SOURCE)') $(if $(RAW),--raw '$(RAW)')

.PHONY: serve
serve: setup ## serve what was deployed, on this machine only (port PORT, by default 3000), until Ctrl-C
	@tandem serve $(if $(PORT),--port '$(PORT)')

.PHONY: bento
bento: setup ## build the deployable bento from what was deployed
	@tandem bento

.PHONY: test
test: setup ## every test, on two cores
	@python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: test-full
test-full: setup ## every test and the comparisons that take long
	@FULL=1 python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: setup ## format, lint, types, contracts and the core's fast tests, in about a minute
	@ruff format --check . && ruff check . && mypy && lint-imports \
	  && python -m pytest -q -x -m "not slow" tests/architecture tests/tandem --ignore tests/tandem/data --ignore tests/tandem/demo

.PHONY: format
format: setup ## format the code
	@ruff format . && ruff check --fix .

.PHONY: lock
lock: setup ## resolve requirements.in again (uv must be installed)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --override requirements.overrides --upgrade requirements.in --output-file requirements.lock
	uv pip install --quiet --require-hashes --no-deps -r requirements.lock
	python -m services.requirements

.peers/installed: benchmarks/peers.lock
	$(PYTHON) -m venv --clear .peers
	.peers/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r benchmarks/peers.lock
	@touch $@

.PHONY: peers
peers: .peers/installed ## create .peers, the Python of the libraries that benchmarks compare with

.PHONY: lock-peers
lock-peers: ## resolve benchmarks/peers.in again (uv must be installed)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --upgrade benchmarks/peers.in --output-file benchmarks/peers.lock

.PHONY: bench-mining
bench-mining: setup peers ## how often products stand together, beside SciPy, DuckDB, Polars and frequent-set libraries
	@python -m benchmarks.mining

.PHONY: bench-evidence
bench-evidence: setup ## what counts tell of relations, beside the demo shop's planted truth
	@python -m benchmarks.evidence

.PHONY: bench-related
bench-related: setup peers ## what goes with a product: every ranker on the dataset that SHOP names
	@python -m benchmarks.related '$(SHOP)' --peers .peers/bin/python

.PHONY: bench-related-cold
bench-related-cold: setup ## what goes with a product on its first day, by ten monthly cuts of Online Retail
	@python -m benchmarks.related_cold

.PHONY: bench-relations
bench-relations: setup ## complement or substitute, on Amazon's lists: the network beside boosted trees
	@python -m benchmarks.relations amazon_grocery
	@python -m benchmarks.relations amazon_gift_cards

.PHONY: bench-training
bench-training: setup ## what training the association network costs, from 10,000 to 1,000,000 products
	@python -m benchmarks.training

.PHONY: bench-online-retail
bench-online-retail: setup ## every ranker on Online Retail, both protocols, beside the published numbers
	@python -m benchmarks.online_retail

.PHONY: bench-serving
bench-serving: setup ## latency and throughput of the service on this machine
	@python -m benchmarks.serving

.PHONY: bench-text
bench-text: setup ## titles per second, beside sentence-transformers in the Python that PEER names
	@python -m benchmarks.text --peer '$(PEER)'

.PHONY: bench-text-tuning
bench-text-tuning: setup ## the text encoder frozen and tuned, on held-out products
	@python -m benchmarks.text_tuning

.PHONY: bench-sentiment
bench-sentiment: setup ## sentiment beside TF-IDF, and beside SnowNLP in the Python that PEER names
	@python -m benchmarks.sentiment $(if $(PEER),--peer '$(PEER)')

.PHONY: bench-pictures
bench-pictures: setup ## pictures: labels, search by title, pictures per second; PEER_HOG and PEER_TORCH name Pythons
	@python -m benchmarks.pictures --peer-hog '$(PEER_HOG)' --peer-torch '$(PEER_TORCH)'

.PHONY: bench-cold-start
bench-cold-start: setup ## products that nobody met yet: what goes with them, and who buys them
	@python -m benchmarks.cold_start

.PHONY: bench-validation
bench-validation: setup ## judging ten million generated events: seconds and peak memory
	@python -m benchmarks.validation

.PHONY: bench-ingest
bench-ingest: setup ## ingest, clean and validate of ten million generated events, beside Polars and pandas
	@python -m benchmarks.ingest

.PHONY: clean
clean: ## remove everything that was made here, raw data and keys included
	rm -rf .venv .tandem .dvc/cache .dvc/tmp .dvc/config.local dvc.lock data/raw
	git clean -fdXq
