# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import signal
from base64 import b64encode
from contextlib import nullcontext
from urllib.parse import quote

import pytest
import yaml

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http, _module, _redact, _trace
from ansible_collections.huaweicloud.drs.plugins.module_utils._binlog import check_gtid_set, check_position
from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import check_job_id
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import SIGNALS
from ansible_collections.huaweicloud.drs.plugins.module_utils._position_results import check_query_id
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import parse_time
from ansible_collections.huaweicloud.drs.plugins.module_utils._redact import HIDDEN, MAX_SEARCHED, TOO_LONG, UNSEARCHED
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECTION,
    PASSWORD,
    POSITION,
    REGION,
    TOKEN,
    USER,
    add_login,
    check_nothing_shown,
    make_module,
)

LOGIN = {"region": REGION, **USER}
WAIT = {"wait_timeout": {"type": "int", "default": 300}, "wait_sleep": {"type": "int", "default": 2}}


class TestCollectionFiles:
    def test_action_group_has_all_modules(self):
        groups = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["action_groups"]
        extending = []
        for path in (COLLECTION / "plugins/modules").glob("*.py"):
            documentation = yaml.safe_load(
                re.search(r'^DOCUMENTATION = r"""$(.*?)^"""$', path.read_text(), re.DOTALL | re.MULTILINE)[1]
            )
            if "huaweicloud.drs.drs" in documentation["extends_documentation_fragment"]:
                assert "huaweicloud.drs.drs.attributes" in documentation["extends_documentation_fragment"]
                extending.append(path.stem)
        assert len(extending) >= 6
        assert groups == {"drs": sorted(extending)}


class TestRules:
    """Rules for several options, such as mutually_exclusive. Empty options count as unset."""

    @pytest.mark.parametrize(
        "rules, args, said",
        [
            (
                {"mutually_exclusive": [("job_id", "region")]},
                {"job_id": "1", "region": REGION},
                "mutually exclusive: job_id|region",
            ),
            (
                {"required_one_of": [("job_id", "region")]},
                {"job_id": "", "region": None},
                "one of the following is required: job_id, region",
            ),
        ],
    )
    def test_violated(self, failed, rules, args, said):
        assert said in failed(lambda: make_module(args, rules, job_id={}))["msg"]

    def test_observed(self):
        module = make_module({"job_id": "1", "region": ""}, {"mutually_exclusive": [("job_id", "region")]}, job_id={})
        assert (module.params["job_id"], module.params["region"], module.supports_check_mode) == ("1", None, True)


def complete(result, module=None):
    """Complete a task with this result."""
    module = module or make_module(LOGIN)
    with module.fail_json_on_error(result, lambda: "Advice."):
        pass
    module.exit_json(**result)


class TestMaskedValues:
    """Ansible masks secrets in results, so that later tasks would use a masked value."""

    @pytest.mark.parametrize(
        "result",
        [
            {"position": f"{PASSWORD}-bin.000277:805"},
            {"positions": [{"job_id": "1", "position": f"x{PASSWORD}"}]},
            {"jobs": {"name": PASSWORD}},
        ],
    )
    def test_task_fails(self, failed, result):
        found = failed(lambda: complete({"id": "1", **result}))
        assert f"has done its work, but {next(iter(result))} cannot be returned" in found["msg"]
        assert "iam_token" in found["msg"]
        assert found["msg"].endswith(" Advice.")
        assert found["id"] == "1"
        assert PASSWORD not in str(found)

    def test_advice(self, failed, monkeypatch, capsys):
        """A password in the environment is a secret for Ansible, although a login with a token does not use it."""
        result, args = {"position": f"{PASSWORD}-bin.000277:805"}, {"region": REGION, "auth_token": TOKEN}
        monkeypatch.setenv("HW_USER_PASSWORD", PASSWORD)
        found = failed(lambda: complete(dict(result), make_module(args)))
        assert "log in with a token" in found["msg"]
        assert "without a password in the environment" in found["msg"]
        monkeypatch.delenv("HW_USER_PASSWORD")
        with pytest.raises(SystemExit):
            complete(dict(result), make_module(args))
        assert json.loads(capsys.readouterr().out)["position"] == result["position"]

    @pytest.mark.parametrize(
        "form",
        [str.upper, lambda text: b64encode(text.encode()).decode(), " ".join, quote],
        ids=["upper", "Base64", "spaces", "URL"],
    )
    def test_forms_that_ansible_does_not_mask(self, failed, form):
        """A server may return what it receives. Options are returned as they are."""
        secret = "a-secret&word"
        args = {**LOGIN, "password": secret, "job_id": form(secret)}
        jobs = [{"name": f"x{form(secret)}"}]
        module = make_module(args, job_id={})
        found = failed(lambda: complete({"jobs": jobs, "job_id": form(secret)}, module))
        assert "but jobs cannot be returned" in found["msg"]
        assert found["jobs"] == [{"name": HIDDEN}]
        assert found["job_id"] == form(secret)

    @pytest.mark.parametrize(
        "escape",
        [
            (" " * 40).join,
            lambda text: "x" * 500 + "".join(f"&amp;#x{ord(char):x};" for char in text),
            lambda text: "x" * 90000 + b64encode(text.encode()).decode() + "x" * 9000,
        ],
        ids=["much white space", "escapes", "Base64"],
    )
    def test_secret_in_a_long_text(self, failed, escape):
        found = failed(lambda: complete({"position": escape(PASSWORD)}))
        assert "but position cannot be returned" in found["msg"]
        assert found["position"] == HIDDEN

    @pytest.mark.parametrize("is_interrupted", [True, False])
    def test_threads_that_add_secrets(self, monkeypatch, is_interrupted):
        """Threads are not waited for after an interrupt or a timeout. A set that changes cannot be iterated."""
        module = make_module(LOGIN)
        shared, seen = module.no_log_values, []
        monkeypatch.setattr(_module, "remove_values", lambda value, secrets: seen.append(secrets) or value)

        def run():
            module.warn("A warning.")
            if is_interrupted:
                raise KeyboardInterrupt

        result = {"id": "one two"}
        with pytest.raises(SystemExit):
            with module.fail_json_on_error(result):
                run()
            module.exit_json(**result)
        assert len(seen) > 1
        assert not any(secrets is shared for secrets in seen)

    def test_a_result_is_searched_once(self, monkeypatch, capsys):
        """A long list takes seconds."""
        searched, hide = [], _redact.hide
        monkeypatch.setattr(_redact, "hide", lambda text, *more: searched.append(text) or hide(text, *more))
        jobs = [{"name": f"Job {number}"} for number in range(100)]
        with pytest.raises(SystemExit):
            complete({"jobs": jobs})
        assert searched == [job["name"] for job in jobs]
        assert json.loads(capsys.readouterr().out)["jobs"] == jobs

    @pytest.mark.parametrize("has_signatures", [False, True])
    def test_signatures(self, failed, capsys, has_signatures):
        """They are searched for only where requests are signed."""
        module, text = make_module(LOGIN), "signature=0a1b2c3d"
        module.create_http_client().has_signatures = has_signatures
        if has_signatures:
            assert text not in str(failed(lambda: complete({"name": text}, module)))
        else:
            with pytest.raises(SystemExit):
                complete({"name": text}, module)
            assert json.loads(capsys.readouterr().out)["name"] == text

    @pytest.mark.parametrize("seconds", [-1, 20])
    def test_time_to_search(self, monkeypatch, capsys, failed, seconds):
        monkeypatch.setattr(_module, "SEARCH_TIME", seconds)
        result = {"jobs": [{"name": "Job 1", "status": "x"}], "number": 1}
        if seconds < 0:
            found = failed(lambda: complete(result))
            assert "jobs cannot be returned" in found["msg"]
            assert found["jobs"] == [{"name": UNSEARCHED, "status": "x"}]
        else:
            with pytest.raises(SystemExit):
                complete(result)

    def test_text_that_is_too_long_to_search(self, failed):
        assert failed(lambda: complete({"position": "x&" * MAX_SEARCHED}))["position"] == TOO_LONG

    @pytest.mark.parametrize("text", ["x" * MAX_SEARCHED, "a&%\\u0041 " * 1000, "x\x1b]1m  \n"])
    def test_other_long_texts_are_returned(self, capsys, text):
        with pytest.raises(SystemExit) as stop:
            complete({"position": text})
        assert stop.value.code == 0
        assert json.loads(capsys.readouterr().out)["position"] == text

    def test_other_values_are_returned(self, capsys):
        with pytest.raises(SystemExit) as stop:
            complete({"id": "1", "position": POSITION, "changed": True})
        assert stop.value.code == 0
        assert POSITION in capsys.readouterr().out

    def test_warning(self, capsys):
        module = make_module(LOGIN)
        module.warn(f"It is {PASSWORD}.")
        with pytest.raises(SystemExit):
            module.exit_json()
        # Where a test has imported the controller's code, ansible-core shows warnings by itself.
        shown = "".join(capsys.readouterr())
        assert "It is ********." in shown
        assert json.dumps(PASSWORD)[1:-1] not in shown


class TestTrace:
    """Only with ``-vvv``."""

    def result(self, cloud, capsys, verbosity, end):
        add_login(cloud)
        module = make_module({**LOGIN, "_ansible_verbosity": verbosity})
        module.connect()
        with pytest.raises(SystemExit):
            getattr(module, end)(msg="It ended.")
        out = capsys.readouterr().out
        check_nothing_shown(out)
        return json.loads(out)

    @pytest.mark.parametrize("end", ["exit_json", "fail_json"])
    def test_requests(self, cloud, capsys, end):
        (line,) = self.result(cloud, capsys, 3, end)["requests"]
        assert re.match(r"POST https://iam\..*/v3/auth/tokens\?nocatalog=true: HTTP 201, request ID \w+, ", line)

    def test_many_requests(self, capsys, monkeypatch):
        monkeypatch.setattr(_trace, "MAX_REQUESTS", 6)
        module = make_module({**LOGIN, "_ansible_verbosity": 3})
        client = module.create_http_client()
        for number in range(6):
            client._trace(str(number))
        assert module._requests == list("012345")
        for number in range(6, 10):
            client._trace(str(number))
        with pytest.raises(SystemExit):
            module.exit_json()
        requests = json.loads(capsys.readouterr().out)["requests"]
        assert requests == ["0", "1", "2", "Requests were left out here.", "8", "9"]

    def test_less_verbose(self, cloud, capsys):
        assert "requests" not in self.result(cloud, capsys, 2, "exit_json")


class TestFailJsonOnError:
    def run(self, error, result=None):
        module = make_module({**LOGIN})

        def action():
            with module.fail_json_on_error(result or {}):
                raise error

        return action

    def test_error(self, failed):
        error = ApiError("It broke.", http_status=400, error_code="X", error_msg="broke", request_id="r1")
        error.add_hint("Fix it.")
        result = failed(self.run(error, {"id": "1", "changed": True}))
        expected = {
            "msg": "It broke. Fix it.",
            "http_status": 400,
            "error_code": "X",
            "error_msg": "broke",
            "request_id": "r1",
            "id": "1",
            "changed": True,
        }
        assert {name: result.get(name) for name in expected} == expected

    @pytest.mark.parametrize(
        "check, value, said",
        [
            (check_position, TOKEN, "position must be a binlog file and offset"),
            (check_position, "x" * 116 + "plain-/secret", "position must be a binlog file and offset"),
            (check_gtid_set, TOKEN, "gtid_set must be"),
            (check_query_id, TOKEN, "query_id must be"),
            (check_job_id, "pass\\'word", "An option is invalid. Its value is hidden because it contains a secret."),
            (parse_time, "pass\\'wordZ", "An option is invalid. Its value is hidden because it contains a secret."),
            (check_job_id, "plain-/secret", "job_id must consist of 36 letters, digits and hyphens, such as "),
            (check_job_id, "other", "job_id must consist of 36 letters, digits and hyphens, such as "),
        ],
    )
    def test_secret_in_another_option(self, failed, check, value, said):
        """A message does not quote a long value, and escapes quotes and backslashes."""
        args = {**LOGIN, "auth_token": TOKEN, "secret_key": "pass\\'word", "security_token": "plain-/secret"}
        module = make_module(args)

        def action():
            with module.fail_json_on_error({}):
                check(value)

        message = failed(action)["msg"]
        assert message.startswith(said)
        check_nothing_shown(message, secrets=[TOKEN[:16], "pass\\'word", "plain-/secret"])

    def test_long_message_about_an_option(self, failed):
        message = failed(self.run(InvalidOptionError("x" * 200001)))["msg"]
        assert message == "An option is invalid. Its value is omitted because it has more than 200000 characters."

    def test_unknown_facts_are_left_out(self, failed):
        result = failed(self.run(HuaweiCloudError("It broke."), {"request_id": "of an earlier request"}))
        assert result["request_id"] == "of an earlier request"
        assert not {"http_status", "error_code", "error_msg"} & set(result)

    def test_request_id_of_the_error_wins(self, failed):
        assert (
            failed(self.run(ApiError("It broke.", request_id="last"), {"request_id": "first"}))["request_id"] == "last"
        )

    def test_unexpected_exception(self, failed):
        result = failed(self.run(ZeroDivisionError(f"with {PASSWORD}"), {"id": "1"}))
        assert "ZeroDivisionError" in result["msg"]
        assert "with ********" in result["msg"]
        assert result["id"] == "1"
        assert not result.get("changed")

    def test_unexpected_exception_after_a_change_was_sent(self, failed):
        module = make_module(LOGIN)

        def action():
            with module.fail_json_on_error({"changed": False}):
                module.create_http_client().last_change = "POST https://drs.example.com/x"
                raise ZeroDivisionError

        assert failed(action)["changed"] is True

    @pytest.mark.parametrize("error", [None, ApiError("no"), ZeroDivisionError()])
    def test_no_signal_interrupts_the_writing_of_a_result(self, error):
        with pytest.raises(SystemExit) if error else nullcontext(), make_module(LOGIN).fail_json_on_error({}):
            assert callable(signal.getsignal(signal.SIGTERM))
            if error:
                raise error
        assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_IGN}

    @pytest.mark.parametrize("verbosity", [0, 3])
    @pytest.mark.parametrize("last", [None, "POST https://drs.example.com/x"])
    def test_interrupted(self, failed, last, verbosity):
        module = make_module({**LOGIN, "_ansible_verbosity": verbosity})

        def action():
            with module.fail_json_on_error({"id": "1"}):
                module.create_http_client().last_change = last
                raise KeyboardInterrupt

        result = failed(action)
        assert result["msg"] == (
            "The task was interrupted. Operations already requested continue in DRS."
            + (f" The last request for a change was {last}." if last else "")
        )
        assert result.get("changed", False) is bool(last)

    def test_interrupted_after_a_request_with_a_secret(self, failed):
        module = make_module(LOGIN)

        def action():
            with module.fail_json_on_error({"id": "1"}):
                http = module.create_http_client(secrets={PASSWORD})
                http.last_change = f"POST https://drs.example.com/{PASSWORD.upper()}"
                raise KeyboardInterrupt

        assert PASSWORD.upper() not in failed(action)["msg"]

    def test_interrupted_before_the_first_request(self, failed):
        assert "for a change" not in failed(self.run(KeyboardInterrupt()))["msg"]

    def test_signal_that_is_ignored(self):
        """By nohup."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with make_module(LOGIN).fail_json_on_error({}):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert callable(signal.getsignal(signal.SIGTERM))

    def test_no_error(self):
        with make_module(LOGIN).fail_json_on_error({}):
            pass


def test_missing_requests(monkeypatch, failed):
    monkeypatch.setattr(_http, "REQUESTS_IMPORT_ERROR", "Traceback: No module named 'requests'")
    result = failed(lambda: make_module({}))
    assert "requests" in result["msg"]
    assert "Python library" in result["msg"]


@pytest.mark.parametrize(
    "args, said",
    [
        ({"wait_timeout": 1, "wait_sleep": 1}, None),
        ({"wait_timeout": 86400, "wait_sleep": 3600}, None),
        ({"wait_timeout": 0}, "wait_timeout must be a number from 1 to 86400; it is 0"),
        ({"wait_timeout": 86401}, "wait_timeout"),
        ({"wait_sleep": 0}, "wait_sleep must be a number from 1 to 3600; it is 0"),
        ({"wait_sleep": 3601}, "wait_sleep"),
    ],
)
def test_check_wait(args, said):
    with pytest.raises(InvalidOptionError, match=said) if said else nullcontext():
        make_module(args, **WAIT).check_wait()
