#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_token
short_description: Obtain a Huawei Cloud IAM token for subsequent tasks
version_added: 1.0.0
description:
  - Exchanges a user name and password for a project token. If the token is set as O(auth_token) in
    C(module_defaults), subsequent tasks do not log in.
  - The token is returned in plain text so that other tasks can use it. Set C(no_log=true) on the task to keep the
    token out of the output and logs.
  - Only O(username), O(password) and O(domain_name) are used as credentials. O(auth_token) and access keys are ignored.
  - The module does not write anything to disk. A token is valid for 24 hours.
  - Do not use C(async) with this module. Ansible would store the result, with the token, in a file below
    C(~/.ansible_async).
  - The module calls C(POST /v3/auth/tokens), described on the API page "Obtaining a User Token Through Password
    Authentication".
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Behaves the same as outside check mode, because obtaining a token changes nothing and subsequent tasks need
        the token in check mode as well.
  diff_mode:
    support: N/A
  idempotent:
    support: full
    details:
      - Each run obtains a new token. Earlier tokens remain valid, so the module never reports a change.
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

- name: Show why the login failed, because no_log hides the error as well
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
    - name: Collect the positions of several jobs at the same point in time
      huaweicloud.drs.drs_collect_db_position:
        job_id: "{{ item }}"
        reset_position_time: "2023-09-19T07:00:00Z"
      loop:
        - c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
        - 177738d1-4eee-4fcb-a4e1-09aea79jb20i
"""

RETURN = r"""
token:
  description: The token. Treat it as a secret.
  type: str
  returned: success
  sample: MIIDkgYJKoZIhvcNAQcCoIIDgzCCA38CAQExDTALBglghkgBZQMEAgEwgXXXXX
expires_at:
  description: When the token expires (UTC), in the format that IAM returns.
  type: str
  returned: success
  sample: "2026-11-24T10:11:12.701000Z"
project_id:
  description: ID of the project that the token is valid for.
  type: str
  returned: success
  sample: 054ba152d480d55b2f5dc0069e7ddef0
http_status:
  description: HTTP status of the error response.
  type: int
  returned: failure, if there was a response
  sample: 401
error_code:
  description: Error code from the server.
  type: str
  returned: failure, if the response contains one
  sample: "401"
error_msg:
  description: Error message from the server.
  type: str
  returned: failure, if the response contains one
  sample: The username or password is wrong.
request_id:
  description: ID that the server assigned to the request. Quote it when you contact Huawei Cloud support.
  type: str
  returned: failure, if the response contains one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _auth_password, _errors, _module, _options


def main() -> None:
    module = _module.DrsModule(argument_spec={})
    result: dict[str, t.Any] = {}
    with module.fail_json_on_error(result):
        method = module.params["auth_method"]
        if method not in ("auto", "password"):
            raise _errors.InvalidOptionError(
                f"auth_method {method} does not provide a token. A token requires username, password and domain_name."
            )
        login = t.cast(
            _auth_password.PasswordAuth, _options.create_auth(module.params, "password", module.task_options)
        )
        # The token is not masked in the result, because it is the result.
        secrets = set(module.no_log_values)
        login.authenticate(
            _options.create_http_client(module.params, secrets, module.ansible_version, module.create_http_client)
        )
        # Its Base64 contains words such as "password", and names that may be passwords as well.
        module.own_values.add(login.token)
        result.update(changed=False, token=login.token, expires_at=login.expires_at, project_id=login.project_id)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
