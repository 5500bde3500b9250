# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that modules and the inventory plugin share, and the connection that these options configure."""

from __future__ import annotations

import os
import re
import typing as t

from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

from . import _auth, _drs, _endpoints, _errors, _http

VERSION = "1.0.0"  # of the collection, as in galaxy.yml
# The authentication methods with their options, in the order in which "auto" tries them, which is also the order of
# Huawei Cloud's Terraform provider. The options of a method all come from the task or all from the environment.
AUTH_METHODS: dict[str, tuple[str, ...]] = {
    "token": ("auth_token",),
    "aksk": ("access_key", "secret_key", "security_token"),
    "password": ("username", "password"),
    "profile": (),
    "agency": (),
}


def env_fallback(name: str) -> str:
    """Return an environment variable. Unlike in Ansible's fallback, an empty one counts as unset: AWX sets those."""
    value = os.environ.get(name)
    if not value:
        raise AnsibleFallbackNotFound
    # Invalid UTF-8 would make AnsibleModule fail with a traceback. select_auth rejects the replacement character.
    return os.fsencode(value).decode("utf-8", "replace")


def key_fallback(name: str, sdk_name: str) -> str:
    """Return a part of an access key, from the SDK's variables only if ours are unset, so that keys never mix."""
    return env_fallback(name if os.environ.get("HW_ACCESS_KEY") or os.environ.get("HW_SECRET_KEY") else sdk_name)


def _option(env: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"fallback": (env_fallback, [env]), **spec}


def _key_option(env: str, sdk_env: str) -> dict[str, t.Any]:
    return {"fallback": (key_fallback, [env, sdk_env]), "no_log": True}


# Documented in plugins/doc_fragments/drs.py. Environment variables have the names that Huawei Cloud's Terraform
# provider uses, where it has them.
SHARED_OPTIONS: dict[str, dict[str, t.Any]] = {
    "region": _option("HW_REGION_NAME"),
    "endpoint": _option("HW_DRS_ENDPOINT"),
    "iam_endpoint": _option("HW_AUTH_URL"),
    "project_id": _option("HW_PROJECT_ID"),
    "project_name": _option("HW_PROJECT_NAME"),
    "auth_method": _option("HW_AUTH_METHOD", choices=["auto", *AUTH_METHODS], default="auto"),
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


def drop_empty_options(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options that the user set, without empty values and aliases.

    An empty value counts as unset, so it must be removed before Ansible applies fallbacks, defaults and ``required``.
    Aliases must be replaced because Ansible applies fallbacks before aliases and would find two values for one option.
    """
    options = {name: value for name, value in params.items() if name.startswith("_ansible") or value not in ("", None)}
    for option, spec in SHARED_OPTIONS.items():
        for alias in spec.get("aliases", ()):
            if alias in options:
                options.setdefault(option, options.pop(alias))
    return options


def check_range(params: t.Mapping[str, t.Any], option: str, minimum: int, maximum: int) -> None:
    """Check the range of a number.

    :raises InvalidOptionError: when it is out of range.
    """
    value = params[option]
    if isinstance(value, bool) or not minimum <= value <= maximum:
        raise _errors.InvalidOptionError(f"{option} must be a number from {minimum} to {maximum}; it is {value}.")


def create_http_client(
    params: t.Mapping[str, t.Any],
    secrets: set[str],
    ansible_version: str,
    create: t.Callable[..., _http.HttpClient] = _http.HttpClient,
    **more: t.Any,
) -> _http.HttpClient:
    """Return the HTTP client that the shared options configure.

    :param secrets: strings to mask. Secrets obtained later are added.
    :param create: creates it.
    :param more: what no option configures, see :class:`HttpClient`.
    :raises InvalidOptionError: when an option is invalid.
    """
    check_range(params, "timeout", 1, 3600)
    check_range(params, "max_retries", 0, 100)
    return create(
        validate_certs=params["validate_certs"],
        ca_cert=params["ca_cert"],
        timeout=params["timeout"],
        max_retries=params["max_retries"],
        user_agent=f"huaweicloud.drs/{VERSION} ansible-core/{ansible_version}",
        secrets=secrets,
        **more,
    )


def create_auth(params: t.Mapping[str, t.Any], auth_method: str, task_options: t.Collection[str]) -> _auth.AuthMethod:
    """Return the authentication method that the shared options configure, see :func:`select_auth`."""
    options = _auth.AuthOptions(**{name: params[name] for name in _auth.AuthOptions._fields})
    try:
        return select_auth(options, auth_method, task_options)
    except _errors.MissingOptionError as error:
        from . import _hints

        error.add_hint(_hints.ignored_hint(AUTH_METHODS, SHARED_OPTIONS, params, task_options))
        raise


def connect(
    params: t.Mapping[str, t.Any], task_options: t.Collection[str], warn: t.Callable[[str], None], **client: t.Any
) -> _drs.DrsClient:
    """Check all shared options, log in, and return a client for the project.

    :param task_options: the names of the options that are set in the task.
    :param warn: shows a warning to the user.
    :param client: see :func:`create_http_client`.
    :raises HuaweiCloudError: when an option is invalid or missing, or the login fails.
    """
    endpoint = _endpoints.service_endpoint("drs", params["region"], "endpoint", params["endpoint"])
    auth = create_auth(params, params["auth_method"], task_options)
    http = create_http_client(params, **client)
    auth.authenticate(http)
    return _drs.DrsClient(_auth.Session(http, auth), endpoint, params["language"], warn)


def select_auth(
    options: _auth.AuthOptions, auth_method: str = "auto", task_options: t.Collection[str] = ()
) -> _auth.AuthMethod:
    """Select the authentication method, and validate its options without network access.

    :param auth_method: a key of :data:`AUTH_METHODS`, or ``auto`` for the first that is fully configured.
    :param task_options: the names of the options that are set in the task. They take precedence over the environment as
        a group: if a method has options among them, ``auto`` considers only such methods, and none is completed from
        the environment, whose secret belongs to another user or key.
    :raises InvalidOptionError: when no method is fully configured, or an option is invalid.
    """
    for name, value in options._asdict().items():
        # Surrogates and replacement characters stand for invalid bytes, from the task or the environment.
        if re.search("[\ud800-\udfff\ufffd]", value or ""):
            raise _errors.InvalidOptionError(f"{name} is not valid UTF-8.")
        # What Ansible puts in place of a secret. To log in with it could lock the user.
        if value and ("********" in value or value == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"):
            raise _errors.InvalidOptionError(f"{name} is a value that Ansible has masked, not the value itself.")
    for names in (("project_id", "project_name"), *AUTH_METHODS.values()):
        if set(names).intersection(task_options):
            options = options._replace(**{name: None for name in names if name not in task_options})

    if auth_method != "auto":
        auth = _auth_class(auth_method)(options)
        auth.validate()
        return auth
    incomplete: list[str] = []
    in_task = [method for method, names in AUTH_METHODS.items() if set(names).intersection(task_options)]
    for method in in_task or list(AUTH_METHODS):
        names = AUTH_METHODS[method]
        if names and not any(getattr(options, name) for name in names):
            continue
        if method == "agency" and incomplete:
            break  # Another method is partly configured. The agency would log in as somebody else.
        auth = _auth_class(method)(options)
        try:
            auth.validate()
            return auth
        except _errors.MissingOptionError as error:
            if names:
                incomplete.append(str(error))
        except _errors.InvalidOptionError:
            if names or not incomplete:
                raise
    if incomplete:
        raise _errors.MissingOptionError(" ".join(incomplete))
    from . import _hints

    raise _errors.InvalidOptionError(f"No credentials are set. {_hints.AUTH_HELP}")


def _auth_class(method: str) -> type[_auth.AuthMethod]:
    # Imported only if the method may be used.
    if method == "token":
        from . import _auth_token

        return _auth_token.TokenAuth
    if method == "password":
        from . import _auth_password

        return _auth_password.PasswordAuth
    from . import _auth_access_key as keys

    return {"aksk": keys.AccessKeyAuth, "profile": keys.ProfileAuth, "agency": keys.AgencyAuth}[method]
