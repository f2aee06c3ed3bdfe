# `make run` talks with you, `make test` runs every test; each does all the set-up it needs.

BIN := .venv/bin
UV := uv==0.13.9

.PHONY: run test check bench lock clean lint

run:
	@packaging/bootstrap run
	@$(BIN)/goassist models path embedded >/dev/null 2>&1 || $(BIN)/goassist models pull embedded
	@$(BIN)/goassist

test:
	@packaging/bootstrap test
	@$(MAKE) --no-print-directory lint
	@$(BIN)/goassist models pull ci
	@$(BIN)/pytest

check:
	@packaging/bootstrap test
	@$(MAKE) --no-print-directory lint
	@$(BIN)/pytest -q tests/unit tests/conversation

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench:
	@packaging/bootstrap run
	@$(BIN)/goassist models pull embedded
	@[ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || export QT_QPA_PLATFORM=offscreen; \
	for kind in latency turns barge-in echo face web window idle; do $(BIN)/goassist bench $$kind || exit; done

# Follows pyproject.toml and keeps what is locked already; `make lock UPGRADE=--upgrade` renews all.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(UPGRADE)
lock:
	@packaging/bootstrap run
	$(BIN)/python -m pip install --quiet $(UV)
	$(COMPILE) pyproject.toml -o packaging/requirements-run.lock
	$(COMPILE) pyproject.toml --group dev -c packaging/requirements-run.lock -o packaging/requirements-dev.lock
	$(COMPILE) packaging/requirements-build.in -c packaging/requirements-dev.lock --allow-unsafe \
		-o packaging/requirements-build.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
