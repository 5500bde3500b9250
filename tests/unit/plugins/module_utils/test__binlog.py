# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._binlog import (
    check_gtid_set,
    check_position,
    parse_position,
    split_position,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    InvalidOptionError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import to_text
from ansible_collections.huaweicloud.drs.plugins.module_utils._redact import ESCAPES, HIDDEN, TOO_LONG, UNSEARCHED
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    GTID_SET,
    POSITION,
)

UUID = "4350aee0-56b5-11ee-8c99-0242ac120002"
OTHER_SET = "8e5d6f4a-56b5-11ee-8c99-0242ac120003:1-5:7"


class TestCheckPosition:
    @pytest.mark.parametrize(
        "value",
        [POSITION, "x.000:0", "a.b.c.00000000000000000000:00000000000000000000"]
        + [f"{'x' * 60}.{'1' * 20}:{'2' * 18}", f"{'x' * 60}.123:{'2' * 20}", "\u00f6!$%()+,-;=?@[]^_`{|}~#.123:4"],
    )
    def test_accepted(self, value):
        assert check_position(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "mysql-bin.000277",
            "mysql-bin:805",
            ".000277:805",
            "mysql-bin.000277:",
            "mysql-bin.:805",
            "mysql-bin000277:805",
            "000277:805",
        ]
        + [
            "mysql-bin.77:805",
            f"mysql-bin.{'7' * 21}:805",
            f"mysql-bin.000277:{'8' * 21}",
            f"{'x' * 61}.000277:805",
            f"{'x' * 60}.{'1' * 20}:{'2' * 19}",
        ]
        + [f"mysql{char}bin.000277:805" for char in "<>&:\"\\'/ \n\t\x00\x1b\x7f\u00a0\u2028\u3000\ud800"]
        + [
            f"{POSITION}\n",
            f" {POSITION}",
            f"{POSITION} ",
            f"{POSITION},",
            "mysql-bin.000277:-805",
            "mysql-bin.000277:8e5",
            "mysql-bin.000277:805.0",
            "********-bin.000277:805",
        ]
        + ["mysql-bin.00027\N{ARABIC-INDIC DIGIT TWO}:805", "mysql-bin.000277:80\N{FULLWIDTH DIGIT FIVE}", "x" * 9999],
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="^position .*mysql-bin.000277:805") as caught:
            check_position(value)
        assert str(caught.value).isprintable()
        # Each character that is shown may be escaped.
        assert len(str(caught.value)) < 200 + 128 * 6


def test_masked_position():
    """Ansible masks a password that is part of the name of a file."""
    with pytest.raises(
        InvalidOptionError, match=r"Ansible has masked it, or a part of it.*, without a password in the environment\."
    ):
        check_position("********-bin.000277:805")
    with pytest.raises(InvalidOptionError) as caught:
        check_position("mysql-bin")
    assert "masked" not in str(caught.value)


class TestCheckGtidSet:
    @pytest.mark.parametrize(
        "value, sent",
        [
            (f"{UUID}:1-77,\n{UUID}:1-3:7\r\n", f"{UUID}:1-77,{UUID}:1-3:7"),
            (f"\t{UUID} : 1 -\u00a077\n", f"{UUID}:1-77"),
            ("x" * 2048, "x" * 2048),
            (" \n".join("x" * 2048), "x" * 2048),
        ],
    )
    def test_accepted(self, value, sent):
        assert check_gtid_set(value) == sent

    @pytest.mark.parametrize(
        "value",
        ["", " ", "\n", "x" * 2049, "x" * 99999]
        + [f"{UUID}:1{char}" for char in "*<>&\"\\'/\x00\x1b\x7f\u00e9\u4e2d\N{FULLWIDTH DIGIT FIVE}\ud800"],
    )
    def test_rejected(self, value):
        self.check_rejected(value)

    @pytest.mark.parametrize("value", [HIDDEN, ESCAPES, TOO_LONG, UNSEARCHED, to_text("x" * 5000)])
    def test_text_in_place_of_one_that_is_not_shown(self, value):
        """DRS would accept it."""
        self.check_rejected("".join(value.split()))

    def check_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="^gtid_set .*2048") as caught:
            check_gtid_set(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300
        assert f"has {len(value.strip())} " in str(caught.value)

    @pytest.mark.parametrize("value", ["********", f"{UUID}:1-********", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"])
    def test_masked(self, value):
        with pytest.raises(InvalidOptionError, match="^gtid_set .* Ansible has masked it"):
            check_gtid_set(value)


class TestSplitPosition:
    @pytest.mark.parametrize(
        "value, expected",
        [
            (POSITION, (POSITION, None)),
            (f"{POSITION};{GTID_SET}", (POSITION, GTID_SET)),
            (f"{POSITION};{GTID_SET}, {GTID_SET}", (POSITION, f"{GTID_SET},{GTID_SET}")),
            # A semicolon is valid in the name of a file.
            ("my;sql-bin.000277:805", ("my;sql-bin.000277:805", None)),
            (f"my;sql-bin.000277:805;{GTID_SET}", ("my;sql-bin.000277:805", GTID_SET)),
            *(
                (value, (value, None))
                for value in ("", ";", "unknown", f"{POSITION};", f";{GTID_SET}", f"{POSITION};<")
            ),
        ],
    )
    def test_unknown_forms_are_returned_unchanged(self, value, expected):
        assert split_position(value) == expected


class TestParsePosition:
    @pytest.mark.parametrize(
        "value, gtid_set, expected",
        [
            (POSITION, None, None),
            (POSITION, "", None),
            (POSITION, f" {GTID_SET}\n", GTID_SET),
            (f"{POSITION};{GTID_SET}", None, GTID_SET),
            (
                f"{POSITION};{GTID_SET},{OTHER_SET}",
                f"{OTHER_SET},\n{GTID_SET.upper()}",
                f"{OTHER_SET},{GTID_SET.upper()}",
            ),
        ],
    )
    def test_accepted(self, value, gtid_set, expected):
        assert parse_position(value, gtid_set) == (POSITION, expected)

    def test_long_gtid_sets_are_not_cut(self):
        """Part of a secret in them would not be recognized."""
        with pytest.raises(InvalidOptionError, match="is a text of 200 characters. Leave out gtid_set") as caught:
            parse_position(f"{POSITION};{GTID_SET}", "x" * 200)
        assert "xx" not in str(caught.value)

    @pytest.mark.parametrize("gtid_set", [OTHER_SET, f"{GTID_SET},{OTHER_SET}", GTID_SET[:-1]])
    def test_two_different_gtid_sets(self, gtid_set):
        with pytest.raises(InvalidOptionError, match="Leave out gtid_set") as caught:
            parse_position(f"{POSITION};{GTID_SET}", gtid_set)
        for part in (GTID_SET, gtid_set):
            assert part in str(caught.value)

    @pytest.mark.parametrize(
        "value, gtid_set, named",
        [(POSITION, "<", "gtid_set"), (f"{POSITION};<", None, "position"), ("x", None, "position")],
    )
    def test_rejected(self, value, gtid_set, named):
        with pytest.raises(InvalidOptionError, match=f"^{named} must be"):
            parse_position(value, gtid_set)
