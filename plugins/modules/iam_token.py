#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_token
short_description: Log in to Huawei Cloud once, and get a token for later tasks
version_added: 1.0.0
description:
  - Changes a user name and password for a token of one project. With the token as O(auth_token) in C(module_defaults), later tasks do not log in.
  - The token is returned readable, since it is there to be used. Put C(no_log=true) on the task, or it is shown in the output and kept in logs.
  - Nothing is kept on disk. A token lives for 24 hours.
  - This is the call C(POST /v3/auth/tokens), described on the API page "Obtaining a User Token Through Password Authentication".
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Logs in as it does outside check mode, because a token leaves nothing behind, and later tasks need it to check anything.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Every run gets a new token. Those before it stay valid, so that nothing has changed.
seealso:
  - module: huaweicloud.drs.drs_collect_db_position
"""

EXAMPLES = r"""
- name: Log in once
  huaweicloud.drs.iam_token:
    region: eu-west-101
    account_name: example-account
    username: drs-operator
    password: "{{ vault_drs_password }}"
  register: login
  no_log: true
  failed_when: false

- name: Say why there is no token, since no_log hides that as well
  ansible.builtin.fail:
    msg: "{{ login.msg }}"
  when: login.token is not defined

- name: Use the token in all tasks of a block
  module_defaults:
    group/huaweicloud.drs.drs:
      region: eu-west-101
      auth_token: "{{ login.token }}"
      project_id: "{{ login.project_id }}"
  block:
    - name: Collect the positions of several jobs at one time
      huaweicloud.drs.drs_collect_db_position:
        job_id: "{{ item }}"
        reset_position_time: "2023-09-19T07:00:00Z"
      loop:
        - c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
        - 177738d1-4eee-4fcb-a4e1-09aea79jb20i
"""

RETURN = r"""
token:
  description: The token. It is a secret.
  type: str
  returned: success
  sample: MIIDkgYJKoZIhvcNAQcCoIIDgzCCA38CAQExDTALBglghkgBZQMEAgEwgXXXXX
expires_at:
  description: When it ends to be valid, in UTC, as IAM wrote it.
  type: str
  returned: success
  sample: "2026-11-24T10:11:12.701000Z"
project_id:
  description: ID of the project that it is for.
  type: str
  returned: success
  sample: 054ba152d480d55b2f5dc0069e7ddef0
http_status:
  description: HTTP status of the answer that made the task fail.
  type: int
  returned: failure, if a server answered
  sample: 401
error_code:
  description: Error code that the server gave.
  type: str
  returned: failure, if the server gave one
  sample: "401"
error_msg:
  description: Error message that the server gave.
  type: str
  returned: failure, if the server gave one
  sample: The username or password is wrong.
request_id:
  description: ID of the request, as the server named it. Huawei Cloud's support asks for it.
  type: str
  returned: failure, if the server answered with one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
"""

from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule


def main() -> None:
    module = DrsModule(argument_spec={})
    with module.fail_json_on_error({}):
        login = module.log_in()
    module.exit_json(changed=False, token=login.token, expires_at=login.expires_at, project_id=login.project_id)


if __name__ == "__main__":
    main()
