# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Positions in the binlog of MySQL, and GTID sets."""

from __future__ import annotations

import re

from . import _errors, _hints

# Characters of a position in a response. DRS accepts positions of 100, and GTID sets of 2,048.
MAX_POSITION = 4096
# DRS accepts an asterisk, but more likely Ansible has masked a part of the name.
POSITION = r"[^<>&:\"\\'/ *]{1,60}\.[0-9]{3,20}:[0-9]{1,20}"


def check_position(value: str) -> str:
    """Return the position if it is well-formed, as ``mysql-bin.000277:805`` is.

    API page: Updating the Start Point of an Incremental Task.

    :raises InvalidOptionError: when it is not.
    """
    if len(value) > 100 or not value.isprintable() or not re.fullmatch(POSITION, value):
        error = _errors.InvalidOptionError(
            "position must be a binlog file and offset of the form name.number:offset, with a number of 3 to 20 digits"
            f" and at most 100 characters in total, such as mysql-bin.000277:805; it is {_hints.quote_value(value)}."
        )
        error.add_hint(_hints.masked_hint(value))
        raise error
    return value


def check_gtid_set(value: str) -> str:
    """Return a GTID set without the line breaks with which MySQL prints it.

    API page: Updating the Start Point of an Incremental Task.

    :raises InvalidOptionError: when it has more than 2,048 characters, or others than GTID sets consist of.
    """
    gtid_set = "".join(value.split())
    hint = _hints.masked_hint(gtid_set)
    # DRS accepts other characters, too, but they are in the text that replaces a GTID set which contains a secret.
    other = re.search(r"[^\w:,-]", gtid_set, re.ASCII)
    if hint or other or not 1 <= len(gtid_set) <= 2048:
        error = _errors.InvalidOptionError(
            "gtid_set must be Executed_Gtid_Set from SHOW BINARY LOG STATUS (SHOW MASTER STATUS before MySQL 8.2),"
            f" at most 2048 letters, digits and the characters _:,-; it has {len(gtid_set)} characters"
            f"{f', one of which is {other[0]!r}' if other else ''}."
        )
        error.add_hint(hint)
        raise error
    return gtid_set


def cut_gtid_set(value: str) -> tuple[str, str]:
    """Return what is in front of the GTID set in a text that may contain one, and the GTID set.

    The name of a binlog may contain semicolons, but no colons. Other text is not cut: it may be a secret that a server
    echoes, of which the first part would not be recognized.
    """
    match = re.fullmatch(f"({POSITION}|);(.*)", value, re.DOTALL)
    return (match[1], match[2]) if match else (value, "")


def split_position(value: str) -> tuple[str, str | None]:
    """Split a position that contains a GTID set, as in ``mysql-bin.000277:805;4350aee0-56b5-11ee-8c99-0242ac120002:1``.

    :returns: the position and the GTID set. A value that does not have this form is returned as it is, with None.
    """
    position, gtid_set = cut_gtid_set(value)
    try:
        return (check_position(position), check_gtid_set(gtid_set)) if position != value else (value, None)
    except _errors.InvalidOptionError:
        return value, None


def parse_position(value: str, gtid_set: str | None = None) -> tuple[str, str | None]:
    """Return a position and a GTID set if they are well-formed.

    :param value: a position, or a position and a GTID set as in :func:`split_position`.
    :param gtid_set: the GTID set, if the position contains none or the same.
    :raises InvalidOptionError: when one is malformed, or there are two different GTID sets.
    """
    position, contained = split_position(value)
    position = check_position(position)
    given = check_gtid_set(gtid_set) if gtid_set else None
    if given and contained and _intervals(given) != _intervals(contained):
        raise _errors.InvalidOptionError(
            f"position contains the GTID set {_hints.quote_value(contained)}, but gtid_set is"
            f" {_hints.quote_value(given)}."
            " Leave out gtid_set, or the GTID set in position."
        )
    return position, given or contained


def _intervals(gtid_set: str) -> set[str]:
    return set(gtid_set.lower().split(","))
