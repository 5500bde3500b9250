# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of all modules. Only this file calls ``fail_json``."""

from __future__ import annotations

import gc
import signal
import time
import traceback
import typing as t
from contextlib import contextmanager

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from . import _drs, _errors, _http, _options

MESSAGES = ("msg", "exception", "warnings", "deprecations")  # They are redacted where they are built.
SEARCH_TIME = 300  # Seconds of CPU to search a result. 5,000 jobs take two, or sixty with all that can be included.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class DrsModule(AnsibleModule):  # type: ignore[misc]
    """An ``AnsibleModule`` with the shared options.

    :param argument_spec: the module's own options.
    :param rules: ``mutually_exclusive`` and so on, see ``AnsibleModule``.
    """

    params: dict[str, t.Any]
    no_log_values: set[str]

    def __init__(self, argument_spec: dict[str, dict[str, t.Any]], **rules: t.Any) -> None:
        # Imported modules stay until the end, so the garbage collector can skip them, which makes the exit faster.
        gc.freeze()
        self._requests: list[str] = []
        self.own_values: set[str] = set()  # They are returned although a secret may be read in them by decoding them.
        self._checked: dict[str, t.Any] = {}
        self._search_end = float("inf")
        self._http: _http.HttpClient | None = None
        super().__init__(argument_spec={**_options.SHARED_OPTIONS, **argument_spec}, supports_check_mode=True, **rules)
        if _http.REQUESTS_IMPORT_ERROR:
            self.fail_json(msg=missing_required_lib("requests"), exception=_http.REQUESTS_IMPORT_ERROR)

    def _load_params(self) -> None:
        super()._load_params()
        self.params = _options.drop_empty_options(self.params)
        self.task_options = frozenset(self.params)
        values = (value if isinstance(value, list) else [value] for value in self.params.values())
        self.own_values = {item for items in values for item in items if isinstance(item, str)}

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        if self._requests:
            kwargs["requests"] = self._requests
        self.no_log_values = self.no_log_values.copy()  # Threads may still add some, which would end an iteration.
        self._search_end = time.process_time() + SEARCH_TIME
        # What has been searched is not searched again.
        kept = {key for key, item in kwargs.items() if key in MESSAGES or (item and item is self._checked.get(key))}
        super()._return_formatted({key: item if key in kept else self._hide(item) for key, item in kwargs.items()})

    def _hide(self, value: t.Any) -> t.Any:
        """Return a part of a result without secrets in forms that Ansible does not mask, such as Base64."""
        if isinstance(value, dict):
            return {key: self._hide(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._hide(item) for item in value]
        if not isinstance(value, str) or value in self.own_values or _http.is_plain(value, self.no_log_values):
            return value
        from . import _redact

        if time.process_time() > self._search_end:
            return _redact.UNSEARCHED
        # Ansible masks the value itself, and leaves the rest of the text.
        has_signatures = self._http is not None and self._http.has_signatures
        return _redact.hide(remove_values(value, self.no_log_values), self.no_log_values, has_signatures)

    def create_http_client(self, **settings: t.Any) -> _http.HttpClient:
        """Return an HTTP client. With ``-vvv``, it adds its requests to the result."""
        if self._verbosity < 3:
            self._http = _http.HttpClient(**settings)
        else:
            from . import _trace

            self._http = _trace.TracingHttpClient(lambda line: _trace.add_request(self._requests, line), **settings)
        return self._http

    def warn(self, warning: str, **more: t.Any) -> None:
        """Show a warning, with secrets masked. ansible-core masks them in results only, from 2.19 on."""
        super().warn(remove_values(warning, self.no_log_values.copy()), **more)

    def _check_masked(self, result: dict[str, t.Any]) -> None:
        """Check that no part of a result has to be masked: later tasks would use the masked value.

        :raises HuaweiCloudError: when one has.
        """
        self.no_log_values = self.no_log_values.copy()  # See _return_formatted.
        self._search_end = time.process_time() + SEARCH_TIME
        secrets = self.no_log_values
        masked = [name for name, value in result.items() if self._hide(remove_values(value, secrets)) != value]
        if masked:
            from . import _hints

            raise _errors.HuaweiCloudError(_hints.masked_result(masked))
        self._checked = result

    def check_wait(self) -> None:
        """Check the range of ``wait_timeout`` and ``wait_sleep``."""
        _options.check_range(self.params, "wait_timeout", 1, 86400)
        _options.check_range(self.params, "wait_sleep", 1, 3600)

    def connect(self, **client: t.Any) -> _drs.DrsClient:
        """See :func:`connect`. The secrets are those that Ansible masks in the result of a module."""
        client.update(secrets=self.no_log_values, ansible_version=self.ansible_version, create=self.create_http_client)
        return _options.connect(self.params, self.task_options, self.warn, **client)

    @contextmanager
    def fail_json_on_error(
        self, result: dict[str, t.Any], complete: t.Callable[[], str] = lambda: ""
    ) -> t.Iterator[None]:
        """Turn exceptions and :data:`SIGNALS` into ``fail_json``. Signals are ignored afterwards.

        :param result: what the block has obtained so far, in the end all. ``fail_json`` returns it, so no ID is lost.
        :param complete: called after a failure. It completes the result, and returns advice to add to the message.
        """

        def fail(message: str, may_have_changed: object = False, **more: t.Any) -> None:
            if may_have_changed:
                result["changed"] = True
            self.fail_json(msg=f"{message} {complete()}".rstrip(), **{**result, **more})

        def ignore_signals() -> None:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)

        def interrupt(*_args: t.Any) -> None:
            ignore_signals()
            raise KeyboardInterrupt

        try:
            try:
                for number in SIGNALS:
                    # nohup ignores SIGHUP.
                    if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                        signal.signal(number, interrupt)
                yield
                self._check_masked(result)
            finally:
                ignore_signals()
        except KeyboardInterrupt:
            last = self._http.sanitize(self._http.last_change) if self._http else ""
            said = f" The last request for a change was {last}." if last else ""
            fail(f"The task was interrupted. Operations already requested continue in DRS.{said}", last)
        except _errors.InvalidOptionError as error:
            # It may quote a secret with escapes, so that Ansible does not recognize it.
            message = remove_values(str(error), self.no_log_values.copy())
            shown = self._hide(message)
            fail(message if shown == message else f"An option is invalid. Its value is {shown[1:-1]}.")
        except _errors.HuaweiCloudError as error:
            fail(str(error), error.maybe_accepted, **error.facts())
        except Exception as error:  # pylint: disable=broad-exception-caught
            # A bug. Ansible would not mask secrets in a traceback, and IDs would be lost.
            said = f"Unexpected {type(error).__name__}: {error}. Please report this."
            fail(said, self._http and self._http.last_change, exception=traceback.format_exc())
