# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

.PHONY: help demo simulator test matrix bench docs release format lock clean

help:
	@echo 'make demo       collect a position and reset a job, with a simulated cloud on this machine'
	@echo 'make simulator  run the simulated cloud until Ctrl-C, and print how to use it'
	@echo 'make test       run the tests and checks with the newest ansible-core; select some with ARGS="-k retry"'
	@echo 'make matrix     run the tests with every supported ansible-core and every Python on this machine'
	@echo 'make bench      measure the cost of a task and of a batch, and write tests/output/bench.md'
	@echo 'make docs       build the documentation site in tests/output/docs'
	@echo 'make release    prepare the release VERSION=1.2.3, all but publishing it'
	@echo 'make format     format the code'
	@echo 'make lock       lock the newest versions of the packages for tests and checks'
	@echo 'make clean      remove the environments and the output'

# Otherwise, where it is set, each of some hundred processes compiles all its modules anew.
unexport PYTHONDONTWRITEBYTECODE

# The environments contain the packages locked in tests/requirements/NAME.txt. uv uses the same certificates as pip.
UV = UV_SYSTEM_CERTS=true UV_PYTHON_DOWNLOADS=never .venv/uv/bin/uv -q

.venv/uv/bin/uv: tests/requirements/uv.txt
	python3 -m venv --clear .venv/uv
	.venv/uv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	touch $@

.venv/%/.ready: tests/requirements/%.txt .venv/uv/bin/uv
	$(UV) venv --clear --python "$$(command -v python3)" .venv/$*
	$(UV) pip sync --require-hashes --python .venv/$* $<
	touch $@

demo: .venv/demo/.ready
	.venv/demo/bin/python tests/demo/demo.py

simulator: .venv/demo/.ready
	@.venv/demo/bin/python tests/demo/by_hand.py

test: .venv/test/.ready
	.venv/test/bin/pytest -n auto --dist worksteal --cov=plugins --durations=10 $(ARGS)

matrix: .venv/test/.ready
	.venv/test/bin/pytest -n auto --dist worksteal --durations=10 --timeout=1500 tests/matrix $(ARGS)

bench: .venv/user/.ready .venv/bench/.ready
	.venv/bench/bin/python tests/bench/bench.py .venv/user/bin

docs: .venv/docs/.ready
	cd tests && ../.venv/docs/bin/python -m tools.docs output/docs

# The command that tests a release.
TEST = $(MAKE) test

release: .venv/test/.ready
	.venv/test/bin/python tests/tools/release.py '$(VERSION)' --test '$(TEST)'

format: .venv/test/.ready
	.venv/test/bin/ruff check --fix-only
	.venv/test/bin/ruff format

lock: .venv/uv/bin/uv
	cd tests/requirements && for file in $$(ls *.in | grep -v -e simulator.in -e unit.in); do \
	  case $$file in target.in) python=3.8;; core-2.16.in|core-2.17.in|oldest.in) python=3.10;; core-2.2*) python=3.12;; *) python=3.11;; esac; \
	  UV_SYSTEM_CERTS=true ../../.venv/uv/bin/uv -q pip compile --upgrade --universal --generate-hashes --no-header --no-annotate \
	    --python-version $$python $$file -o $${file%.in}.txt || exit; \
	done

clean:
	rm -rf .venv tests/output
