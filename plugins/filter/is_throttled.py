# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: is_throttled
short_description: Whether a module failed because the server throttles requests
version_added: 1.0.0
description:
  - Returns whether a module of this collection failed only because the server throttles requests or temporarily
    refuses them. A loop that waits for something can go on then.
  - Used by the playbooks of this collection.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input
options:
  _input:
    description:
      - The result of the module.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Read the result of a query until it is there, even if requests are throttled
  huaweicloud.drs.drs_db_position_info:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    query_id: 0eacda0b-9422-4535-8b62-537d1833638b
  register: result
  until: >-
    (result is failed and not result | huaweicloud.drs.is_throttled)
    or result.status | default('pending') != 'pending'
  retries: 30
  delay: 2
"""

RETURN = r"""
_value:
  description: Whether it failed for this reason.
  type: bool
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _drs


def is_throttled(result: t.Mapping[str, t.Any]) -> bool:
    """Return whether a module failed because of throttling.

    :param result: the result of the module.
    """
    return result.get("http_status") in (429, 503) or result.get("error_code") == _drs.TOO_FREQUENT


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"is_throttled": is_throttled}
