# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation compared with the code. tests/conformance/test_examples.py runs its examples."""

from __future__ import annotations

import re

import yaml
from tools.checkout import ROOT

from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import OK_OUTCOMES, REFUSED, UNKNOWN, UNSENT
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import HINTS, HINTS_0201
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import FAILED
from ansible_collections.huaweicloud.drs.plugins.module_utils._reset import ADVICE

DOCS = ROOT / "docs"
RST = DOCS / "docsite/rst"
CODE = re.compile(r"\b(?:DRS\.[0-9M][0-9]+|APIGW\.[0-9]{4})\b")


def tables(guide: str) -> list[list[list[str]]]:
    """Return the cells of the tables of a guide by row, without their headings."""
    text = (RST / f"{guide}.rst").read_text(encoding="utf-8")
    found = []
    for table in re.findall(r"^\.\. list-table::\n((?:[ ]+.*\n|\n)+)", text, re.MULTILINE):
        rows = re.findall(r"^  \* - (.*?)(?=^  \* - |\Z)", table, re.MULTILINE | re.DOTALL)
        found.append([[" ".join(cell.split()) for cell in re.split(r"\n    - ", row)] for row in rows[1:]])
    return found


def first_column(guide: str, cell: str) -> set[str]:
    """Return the literals in the first column of the table that has one of them as a cell."""
    (table,) = (rows for rows in tables(guide) if any(f"``{cell}``" in row[0] for row in rows))
    literals = [literal for row in table for literal in re.findall("``(.*?)``", row[0])]
    assert len(literals) == len(set(literals))
    return set(literals)


def test_every_error_code_is_documented() -> None:
    """The guide lists each code of the code with its meaning and what to do, and no other code."""
    plugins = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "plugins").rglob("*.py")))
    # The gateway has an older prefix for the same codes.
    known = set(CODE.findall(re.sub(r"\bAPIG\.", "APIGW.", plugins)))
    assert set(HINTS) <= known
    documented = first_column("guide_errors", "DRS.10000010") | first_column("guide_errors", "APIGW.0101")
    assert documented == known


def test_what_to_do_is_documented_for_each_error_code() -> None:
    rows = [row for table in tables("guide_errors") for row in table]
    assert [row for row in rows if len(row) != 3 or not all(row)] == []
    # Codes with the same hint share a row, or a row refers to another one.
    shared = {code: row for row in rows for code in CODE.findall(row[0])}
    for code, other in (("DRS.10000010", "DRS.M05003"), ("DRS.M00289", "DRS.M05004"), ("APIGW.0601", "APIGW.0613")):
        assert shared[code] is shared[other] and HINTS[code] == HINTS[other]
    # The only code whose meaning depends on the HTTP status.
    assert {int(status) for status in re.findall("[0-9]{3}", shared["APIGW.0201"][1])} == set(HINTS_0201)


def test_every_code_that_a_guide_mentions_is_known() -> None:
    known = first_column("guide_errors", "DRS.10000010") | first_column("guide_errors", "APIGW.0101")
    for path in sorted(RST.glob("*.rst")):
        assert set(CODE.findall(path.read_text(encoding="utf-8"))) <= known


def test_every_outcome_of_a_batch_is_documented() -> None:
    in_check_mode = {"collectable", "unchecked"}
    outcomes = {*OK_OUTCOMES, FAILED, REFUSED, UNKNOWN, UNSENT}
    assert first_column("guide_fleets", "unsent") == outcomes - in_check_mode


def test_every_state_of_a_reset_is_documented() -> None:
    # The playbook adds one for a task that was cut off.
    assert first_column("guide_migration_runbook", "position_set") == {*ADVICE, "unknown"}


def test_index_lists_every_page() -> None:
    """Generated pages are in no table of contents by themselves, and Sphinx does not miss them."""
    listed = re.findall(
        r"^  (?:[\w ]+ )?<?([\w/*]+)>?$", (DOCS / "index.rst").read_text(encoding="utf-8"), re.MULTILINE
    )
    guides = yaml.safe_load((DOCS / "docsite/extra-docs.yml").read_text(encoding="utf-8"))["sections"][0]["toctree"]
    assert sorted(guides) == sorted(path.stem for path in RST.glob("*.rst"))
    folders = {"modules": "module", "inventory": "inventory"}
    plugins = [
        f"{path.stem}_{kind}"
        for folder, kind in folders.items()
        for path in sorted((ROOT / "plugins" / folder).glob("[!_]*.*"))
    ]
    assert listed[: len(guides)] == [f"docsite/{guide}" for guide in guides]
    assert sorted(listed[len(guides) :]) == sorted([*plugins, "environment_variables", "*_filter"])
