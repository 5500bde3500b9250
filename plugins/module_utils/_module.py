# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The edge between Ansible and the layers below: shared options with their environment, and errors as results.

This is the only place that calls C(fail_json).
"""

from __future__ import annotations

import os
import traceback
import typing as t
from contextlib import contextmanager

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import (
    REQUESTS_IMPORT_ERROR,
    HttpClient,
    HuaweiCloudError,
    InputError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._iam import identity, service_endpoint

# Of the collection; a test compares it with galaxy.yml.
VERSION = "1.0.0"


def env_fallback(name: str) -> str:
    """Like Ansible's own, but an empty variable counts as unset: AWX renders a field that was left out as an empty one."""
    if not os.environ.get(name):
        raise AnsibleFallbackNotFound
    return os.environ[name]


def _option(env: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"fallback": (env_fallback, [env]), **spec}


# The names in the environment are those of Huawei Cloud's Terraform provider, where it has them. The documentation is in the fragment C(drs).
SHARED_OPTIONS: dict[str, dict[str, t.Any]] = {
    "region": _option("HW_REGION_NAME"),
    "endpoint": _option("HW_DRS_ENDPOINT"),
    "iam_endpoint": _option("HW_AUTH_URL"),
    "project_id": _option("HW_PROJECT_ID"),
    "project_name": _option("HW_PROJECT_NAME"),
    "auth_token": _option("HW_AUTH_TOKEN", no_log=True),
    "username": _option("HW_USER_NAME"),
    "password": _option("HW_USER_PASSWORD", no_log=True),
    "domain_name": _option("HW_DOMAIN_NAME", aliases=["account_name"]),
    "validate_certs": _option("HW_VALIDATE_CERTS", type="bool", default=True),
    "ca_cert": _option("HW_CA_CERT", type="path"),
    "timeout": _option("HW_TIMEOUT", type="int", default=30),
    "max_retries": _option("HW_MAX_RETRIES", type="int", default=4),
    "language": {"choices": ["en-us", "zh-cn"], "default": "en-us"},
}


class DrsModule(AnsibleModule):  # type: ignore[misc]
    """An C(AnsibleModule) with the shared options, added to those of I(argument_spec)."""

    params: dict[str, t.Any]

    def __init__(self, argument_spec: dict[str, dict[str, t.Any]]) -> None:
        super().__init__(argument_spec={**SHARED_OPTIONS, **argument_spec}, supports_check_mode=True)
        if REQUESTS_IMPORT_ERROR:
            self.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)

    def _load_params(self) -> None:
        # An empty value counts as unset, for fallbacks, defaults and required options alike, so it has to go before they are looked at.
        super()._load_params()
        self.params = {name: value for name, value in self.params.items() if name.startswith("_ansible") or value not in ("", None)}

    def at_least(self, minimum: int, *options: str) -> None:
        """Check numbers.

        :raises InputError: when one is smaller than I(minimum).
        """
        for option in options:
            if self.params[option] < minimum:
                raise InputError(f"{option} must be {minimum} at least; it is {self.params[option]}.")

    def connect(self) -> DrsClient:
        """Log in, and return DRS in the project that the options name. All connection options are checked before anything is sent.

        :raises HuaweiCloudError: when an option is wrong or missing, or the login fails.
        """
        params = self.params
        self.at_least(1, "timeout")
        self.at_least(0, "max_retries")
        endpoint = service_endpoint("drs", params["region"], "endpoint", params["endpoint"])
        who = identity(
            region=params["region"],
            endpoint=params["iam_endpoint"],
            project_id=params["project_id"],
            project_name=params["project_name"],
            auth_token=params["auth_token"],
            username=params["username"],
            password=params["password"],
            domain_name=params["domain_name"],
        )
        http = HttpClient(
            validate_certs=params["validate_certs"],
            ca_cert=params["ca_cert"],
            timeout=params["timeout"],
            max_retries=params["max_retries"],
            user_agent=f"huaweicloud.drs/{VERSION} ansible-core/{self.ansible_version}",
            # Ansible masks these in all that a module returns. A token that a layer below is given goes in as well.
            secrets=self.no_log_values,
        )
        who.authenticate(http)
        return DrsClient(http, who, endpoint, params["language"])

    @contextmanager
    def failing_with(self, result: dict[str, t.Any]) -> t.Iterator[None]:
        """Turn an exception into a failed task that still returns I(result), so that no id is lost that was obtained before."""
        try:
            yield
        except HuaweiCloudError as error:
            facts = {name: getattr(error, name) for name in ("http_status", "error_code", "error_msg", "request_id")}
            self.fail_json(msg=str(error), **{**result, **{name: value for name, value in facts.items() if value is not None}})
        except Exception as error:  # pylint: disable=broad-exception-caught
            # A fault of ours. Left alone it would end in a traceback, which Ansible does not mask, and the ids would be gone.
            self.fail_json(msg=f"Unexpected {type(error).__name__}: {error}. Please report this.", exception=traceback.format_exc(), **result)
