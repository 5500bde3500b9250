# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The edge between Ansible and the layers below: shared options with their environment, and errors as results.

This is the only place that calls C(fail_json).
"""

from __future__ import annotations

import gc
import os
import signal
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
from ansible_collections.huaweicloud.drs.plugins.module_utils._iam import (
    WAYS,
    Credentials,
    Identity,
    PasswordIdentity,
    Session,
    identity,
    service_endpoint,
)

# Of the collection; a test compares it with galaxy.yml.
VERSION = "1.0.0"


def env_fallback(name: str) -> str:
    """Like Ansible's own, but an empty variable counts as unset: AWX renders a field that was left out as an empty one."""
    value = os.environ.get(name)
    if not value:
        raise AnsibleFallbackNotFound
    # Bytes that are no UTF-8 would make AnsibleModule fail with a traceback. The layer below refuses what stands for them here.
    return os.fsencode(value).decode("utf-8", "replace")


def key_fallback(name: str, sdk_name: str) -> str:
    """The variable of the official SDK, unless one of an access key is set under our own names: the parts of two keys do not go together."""
    return env_fallback(name if os.environ.get("HW_ACCESS_KEY") or os.environ.get("HW_SECRET_KEY") else sdk_name)


def _option(env: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"fallback": (env_fallback, [env]), **spec}


def _key_option(env: str, sdk_env: str) -> dict[str, t.Any]:
    return {"fallback": (key_fallback, [env, sdk_env]), "no_log": True}


# The names in the environment are those of Huawei Cloud's Terraform provider, where it has them. The documentation is in the fragment C(drs).
SHARED_OPTIONS: dict[str, dict[str, t.Any]] = {
    "region": _option("HW_REGION_NAME"),
    "endpoint": _option("HW_DRS_ENDPOINT"),
    "iam_endpoint": _option("HW_AUTH_URL"),
    "project_id": _option("HW_PROJECT_ID"),
    "project_name": _option("HW_PROJECT_NAME"),
    "auth_method": _option("HW_AUTH_METHOD", choices=["auto", *WAYS], default="auto"),
    "auth_token": _option("HW_AUTH_TOKEN", no_log=True),
    "access_key": _key_option("HW_ACCESS_KEY", "HUAWEICLOUD_SDK_AK"),
    "secret_key": _key_option("HW_SECRET_KEY", "HUAWEICLOUD_SDK_SK"),
    "security_token": _key_option("HW_SECURITY_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
    "username": _option("HW_USER_NAME"),
    "password": _option("HW_USER_PASSWORD", no_log=True),
    "domain_name": _option("HW_DOMAIN_NAME", aliases=["account_name"]),
    "validate_certs": _option("HW_VALIDATE_CERTS", type="bool", default=True),
    "ca_cert": _option("HW_CA_CERT", type="path"),
    "timeout": _option("HW_TIMEOUT", type="int", default=30),
    "max_retries": _option("HW_MAX_RETRIES", type="int", default=4),
    "language": {"choices": ["en-us", "zh-cn"], "default": "en-us"},
}


def given_options(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Those of the options that a user gave, by their names.

    An empty value counts as unset, for fallbacks, defaults and required options alike, so it has to go before they are looked at. Ansible looks at the
    environment before it looks at aliases, and then takes the two for a contradiction, so they have to go as well.
    """
    given = {name: value for name, value in params.items() if name.startswith("_ansible") or value not in ("", None)}
    for option, spec in SHARED_OPTIONS.items():
        for alias in spec.get("aliases", ()):
            if alias in given:
                given.setdefault(option, given.pop(alias))
    return given


def check_range(params: t.Mapping[str, t.Any], option: str, minimum: int, maximum: int) -> None:
    """Check a number.

    :raises InputError: when it is out of range.
    """
    value = params[option]
    if isinstance(value, bool) or not minimum <= value <= maximum:
        raise InputError(f"{option} must be a number from {minimum} to {maximum}; it is {value}.")


def http_client(params: t.Mapping[str, t.Any], secrets: set[str], ansible_version: str, connections: int = 1) -> HttpClient:
    """The transport that the shared options ask for.

    :raises InputError: when one of them is wrong.
    """
    check_range(params, "timeout", 1, 3600)
    check_range(params, "max_retries", 0, 100)
    return HttpClient(
        validate_certs=params["validate_certs"],
        ca_cert=params["ca_cert"],
        timeout=params["timeout"],
        max_retries=params["max_retries"],
        connections=connections,
        user_agent=f"huaweicloud.drs/{VERSION} ansible-core/{ansible_version}",
        secrets=secrets,
    )


def who_is(params: t.Mapping[str, t.Any], auth_method: str, given: t.Collection[str]) -> Identity:
    """The way in that the shared options ask for. Those in I(given) are not from the environment."""
    return identity(Credentials(**{name: params[name] for name in Credentials._fields}), auth_method, given)


def open_drs(params: t.Mapping[str, t.Any], given: t.Collection[str], secrets: set[str], ansible_version: str, connections: int = 1) -> DrsClient:
    """Log in, and return DRS in the project that the options name. All shared options are checked before anything is sent.

    :arg given: the names of those options that are not from the environment.
    :arg secrets: what is masked. What a layer below gets in exchange for one goes in as well.
    :arg connections: how many threads will use it at the same time, at most.
    :raises HuaweiCloudError: when an option is wrong or missing, or the login fails.
    """
    endpoint = service_endpoint("drs", params["region"], "endpoint", params["endpoint"])
    who = who_is(params, params["auth_method"], given)
    http = http_client(params, secrets, ansible_version, connections)
    who.authenticate(http)
    return DrsClient(Session(http, who), endpoint, params["language"])


class DrsModule(AnsibleModule):  # type: ignore[misc]
    """An C(AnsibleModule) with the shared options, added to those of I(argument_spec). I(rules) are its C(mutually_exclusive) and so on."""

    params: dict[str, t.Any]

    def __init__(self, argument_spec: dict[str, dict[str, t.Any]], **rules: t.Any) -> None:
        # What has been imported stays to the end. The collector need not look at it any more, which it would do last when Python ends.
        gc.freeze()
        super().__init__(argument_spec={**SHARED_OPTIONS, **argument_spec}, supports_check_mode=True, **rules)
        if REQUESTS_IMPORT_ERROR:
            self.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)

    def _load_params(self) -> None:
        super()._load_params()
        self.params = given_options(self.params)
        self._from_task = frozenset(self.params)

    def check_range(self, option: str, minimum: int, maximum: int) -> None:
        """As :func:`check_range`."""
        check_range(self.params, option, minimum, maximum)

    def check_wait(self) -> None:
        """Check the options I(wait_timeout) and I(wait_sleep).

        :raises InputError: when one is out of range.
        """
        self.check_range("wait_timeout", 1, 86400)
        self.check_range("wait_sleep", 1, 3600)

    def connect(self, connections: int = 1) -> DrsClient:
        """As :func:`open_drs`. Ansible masks the secrets in all that a module returns."""
        return open_drs(self.params, self._from_task, self.no_log_values, self.ansible_version, connections)

    def log_in(self) -> PasswordIdentity:
        """Log in with user name and password, to hand the token out: so it is the one secret that is not masked in the result.

        :raises HuaweiCloudError: when an option is wrong or missing, or the login fails.
        """
        if self.params["auth_method"] not in ("auto", "password"):
            raise InputError(f"auth_method {self.params['auth_method']} makes no token. One is only made of username, password and domain_name.")
        who = who_is(self.params, "password", self._from_task)
        who.authenticate(http_client(self.params, set(self.no_log_values), self.ansible_version))
        return t.cast(PasswordIdentity, who)

    @contextmanager
    def failing_with(self, result: dict[str, t.Any]) -> t.Iterator[None]:
        """Turn an exception into a failed task that still returns I(result), so that no id is lost that was obtained before.

        To be told to end, by C(SIGTERM) or at the keyboard, counts as one.
        """

        def interrupted(*_args: t.Any) -> None:
            # Another signal must not keep the result from being written.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            raise KeyboardInterrupt

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, interrupted)
        try:
            yield
        except KeyboardInterrupt:
            self.fail_json(msg="The task was interrupted. What was asked of DRS until then goes on.", **result)
        except HuaweiCloudError as error:
            facts = {name: getattr(error, name) for name in ("http_status", "error_code", "error_msg", "request_id")}
            self.fail_json(msg=str(error), **{**result, **{name: value for name, value in facts.items() if value is not None}})
        except Exception as error:  # pylint: disable=broad-exception-caught
            # A fault of ours. Left alone it would end in a traceback, which Ansible does not mask, and the ids would be gone.
            self.fail_json(msg=f"Unexpected {type(error).__name__}: {error}. Please report this.", exception=traceback.format_exc(), **result)
