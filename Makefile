# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

.PHONY: help demo test bench clean

help:
	@echo 'make demo    collect a database position and reset a job, with a simulated cloud on this machine'
	@echo 'make test    run every check; some of them with ARGS="-s coverage conformance"'
	@echo 'make bench   measure what a task and a batch cost, and write tests/output/bench.md'
	@echo 'make clean   remove what these have made'

demo: .venv/demo/.ready
	.venv/demo/bin/python tests/demo/demo.py

test: .venv/test/.ready
	.venv/test/bin/python tests/tools/run_checks.py $(ARGS)

bench: .venv/user/.ready .venv/bench/.ready
	.venv/bench/bin/python tests/bench/bench.py .venv/user/bin

clean:
	rm -rf .nox .venv tests/output

.venv/demo/.ready: tests/demo/requirements.txt tests/simulator/requirements.txt meta/ee-requirements.txt
	python3 -m venv --clear .venv/demo
	.venv/demo/bin/python -m pip install -q --disable-pip-version-check -r tests/demo/requirements.txt -r tests/simulator/requirements.txt
	touch $@

.venv/test/.ready: tests/tools/requirements.txt
	python3 -m venv --clear .venv/test
	.venv/test/bin/python -m pip install -q --disable-pip-version-check -r tests/tools/requirements.txt
	touch $@

.venv/user/.ready: tests/demo/requirements.txt meta/ee-requirements.txt
	python3 -m venv --clear .venv/user
	.venv/user/bin/python -m pip install -q --disable-pip-version-check -r tests/demo/requirements.txt
	touch $@

.venv/bench/.ready: tests/bench/requirements.txt tests/simulator/requirements.txt
	python3 -m venv --clear .venv/bench
	.venv/bench/bin/python -m pip install -q --disable-pip-version-check -r tests/bench/requirements.txt
	touch $@
