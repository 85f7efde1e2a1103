# `make help` lists the targets. Each one sets up .venv first, when that is needed.
# Variables: PYTHON (to make .venv with), MICROPYTHON and MPY_CROSS (tools of your own),
# READABLE=1 (whole names and line numbers in the firmware), SLOW=4 (all deadlines four times as
# long), PYTEST_ARGS, and those that the targets name.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the commands need; what the tests need, too; what looks at the style.
READY := $(VENV)/.ready
READY_TEST := $(VENV)/.ready-test
READY_LINT := $(VENV)/.ready-lint
PYTEST := $(BIN)/pytest $(PYTEST_ARGS)
# Two for each core, for tests wait most of the time.
PARALLEL ?= -n $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN)))) --dist worksteal

export MICROPYTHON MPY_CROSS READABLE MICROPYTHON_SRC IDF_PATH
ifdef SLOW
export FLYVE_SLOW = $(value SLOW)
endif

# A value that a user gave, as one word for the shell, whatever is in it.
quoted = '$(subst ','\'',$(value $(1)))'

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: setup demo test lint bench size coverage mutation hil firmware pictures release soak clean help

setup: $(READY) ## Make .venv, fetch the libraries, build the firmware

$(READY): pyproject.toml tools/flyve_mdm/build/libraries.py
	@command -v $(PYTHON) >/dev/null || { echo "setup: no $(PYTHON) here: make setup PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py $(VENV)
	@touch $@

$(VENV)/.ready-%: $(READY)
	@$(PYTHON) tools/bootstrap.py $(VENV) $*
	@touch $@

demo: $(READY) ## The whole story in one terminal, on a virtual board
	@$(BIN)/flyve demo

test: $(READY_TEST) ## All tests, with a sample of the long ones
	@$(BIN)/pytest $(PARALLEL) $(PYTEST_ARGS)

soak: $(READY_TEST) ## The long tests, whole
	@$(BIN)/pytest $(PARALLEL) -m soak $(PYTEST_ARGS)

lint: $(READY_LINT) ## Style, spelling, and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/codespell
	@said=$$(PYTHONPATH=tools:firmware:. $(BIN)/lint-imports --no-cache --no-logo) || { echo "$$said"; exit 1; }

bench: $(READY) ## Speed and memory, each beside its peer
	@$(BIN)/flyve bench

size: $(READY) ## Flash, RAM and wear of the agent, against the budgets
	@$(BIN)/flyve size

coverage: $(READY_TEST) ## The tests with the firmware's lines counted: 95 % must have run
	@$(BIN)/python -m flyve_mdm.measure.coverage $(PARALLEL) $(PYTEST_ARGS)

mutation: $(READY_TEST) ## Faults put into critical modules: 85 % must be found (MODULE= SAMPLE= SEED=)
	@$(BIN)/python -m flyve_mdm.measure.mutation $(if $(value MODULE),$(call quoted,MODULE)) \
	    $(if $(value SAMPLE),--sample=$(call quoted,SAMPLE)) $(if $(value SEED),--seed=$(call quoted,SEED))

# Through the environment, for others can read command lines.
hil: export FLYVE_PSK = $(value WIFI_PSK)
hil: $(READY_TEST) ## The tests on a board: PORT= WIFI_SSID= WIFI_PSK= HOST= BIND= RESET= SLOW= (no PORT: a virtual one)
	@$(PYTEST) host_tests/hil host_tests/system --hil $(if $(value PORT),--port=$(call quoted,PORT)) \
	    $(if $(value WIFI_SSID),--wifi-ssid=$(call quoted,WIFI_SSID)) \
	    $(if $(value HOST),--host=$(call quoted,HOST)) $(if $(value BIND),--bind=$(call quoted,BIND)) \
	    $(if $(value RESET),--reset=$(call quoted,RESET))

firmware: $(READY) ## A firmware image with the agent in it: BOARD= VARIANT= MICROPYTHON_SRC= IDF_PATH=
	@$(BIN)/flyve firmware $(if $(value BOARD),--board=$(call quoted,BOARD)) \
	    $(if $(value VARIANT),--variant=$(call quoted,VARIANT))

pictures: docs/architecture.svg docs/states.svg docs/led.svg docs/label.svg docs/setup.webp docs/setup-trouble.webp docs/pilots.webp | $(READY_TEST) ## The pictures in docs/, from the code, from texts, from a browser and from a run of the demo
	@$(BIN)/flyve demo --svg docs/demo.svg

docs/architecture.svg: docs/pictures/house.d2

docs/pictures/house.d2: pyproject.toml tools/flyve_mdm/measure/house.py | $(READY_TEST)
	@$(BIN)/python -m flyve_mdm.measure.house > $@

docs/led.svg: firmware/flyve/jobs/led.py tools/flyve_mdm/measure/led.py | $(READY)
	@$(BIN)/python -m flyve_mdm.measure.led > $@

docs/label.svg: docs/pictures/labels.csv tools/flyve_mdm/board/label_sheet.py tools/flyve_mdm/board/label_canvas.py | $(READY)
	@$(BIN)/flyve label $< -o $@ --paper 62x29

docs/pilots.webp: $(wildcard tools/flyve_mdm/backend/page/*) tools/flyve_mdm/measure/pilots.py | $(READY_TEST)
	@$(BIN)/python -m flyve_mdm.measure.pilots $@

docs/%.svg: docs/pictures/%.d2 | $(READY_TEST)
	@$(BIN)/python -m flyve_mdm.measure.picture $< $@

docs/%.webp: firmware/flyve/jobs/setup.html tools/flyve_mdm/measure/setup_states.py | $(READY_TEST)
	@$(BIN)/python -m flyve_mdm.measure.screens $@

release: $(READY_TEST) ## The wheel, the files for boards and their sums, of what is committed: build/release/
	@$(BIN)/python -m flyve_mdm.build.release

clean: ## Remove build/ and the caches, not .venv
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
