# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error responses of the simulated cloud, with the codes and texts of the real one."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Any

# Sources of the texts: "Error Code" of the DRS API reference (drs_05_0004), the examples of its pages, and public
# responses of the API gateway. Inferred: the texts of DRS.M00289, DRS.M00304 and DRS.M01504, and the Chinese texts
# where the pages have only English ones. DRS.M99999 is invented: it stands for all codes that nobody knows.
MESSAGES: dict[str, tuple[int, str, str]] = {
    "APIGW.0101": (
        404,
        "The API does not exist or has not been published in the environment",
        "API不存在或者未在该环境中发布",
    ),
    "APIGW.0301": (401, "Incorrect IAM authentication information: {0}", "IAM认证信息错误：{0}"),
    "APIGW.0307": (401, "The token must be updated.", "Token需要更新。"),
    "DRS.10000010": (400, "Job does not exist, please check job id.", "任务不存在，请检查任务ID。"),
    "DRS.10030014": (400, "Firstly, please the query object info.", "请先查询对象信息。"),
    "DRS.M00100": (403, "Invalid token.", "IAM鉴权不合法。"),
    "DRS.M00102": (403, "You do not have sufficient permissions.", "用户权限不足。"),
    "DRS.M00200": (400, "Parameter error. {0}", "参数错误。{0}"),
    "DRS.M00202": (400, "The value of parameter {0} is invalid.", "{0}取值不合法。"),
    "DRS.M00261": (403, "Invalid project ID.", "无效的项目ID。"),
    "DRS.M00289": (400, "The task does not exist.", "任务不存在。"),
    "DRS.M00304": (400, "This operation cannot be performed on the task.", "该任务不支持此操作。"),
    # Documented with 202, like a success.
    "DRS.M01504": (
        202,
        "Another operation is being performed on the task, or the task is abnormal.",
        "任务正在执行其他操作，或任务异常。",
    ),
    "DRS.M99999": (400, "The task is not supported by this API.", "该接口不支持此任务。"),
}
MESSAGE_LENGTH = 512
# Messages of IAM. Both are Keystone's. The second has exactly the length of a real response of IAM with 403.
UNAUTHENTICATED = "The request you have made requires authentication."
FORBIDDEN = "You are not authorized to perform the requested action."


class Refusal(Exception):
    """An error response."""

    status: int

    def body(self, language: str, request_id: str) -> dict[str, Any] | str:
        raise NotImplementedError


class CloudError(Refusal):
    """An error from a service or from the gateway in front of it."""

    def __init__(self, code: str, *details: str) -> None:
        super().__init__(code, *details)
        self.code = code
        self.details = details
        self.status = MESSAGES[code][0]

    def body(self, language: str, request_id: str) -> dict[str, Any]:
        _status, english, chinese = MESSAGES[self.code]
        message = (chinese if language == "zh-cn" else english).format(*self.details)
        body = {"error_code": self.code, "error_msg": message[:MESSAGE_LENGTH]}
        if self.code.startswith("APIGW."):
            body["request_id"] = request_id
        return body


class IamError(Refusal):
    """An error from IAM, in Keystone's format and in English only."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def body(self, language: str, request_id: str) -> dict[str, Any]:
        return {"error": {"code": self.status, "message": str(self), "title": HTTPStatus(self.status).phrase}}


class MetadataError(Refusal):
    """An error from the metadata service, in the format of OpenStack's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def body(self, language: str, request_id: str) -> str:
        title = f"{self.status} {HTTPStatus(self.status).phrase}"
        text = f"<h1>{title}</h1>\n  {escape(str(self))}<br /><br />"
        return f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  {text}\n\n\n </body>\n</html>"


class ControlError(Refusal):
    """An invalid control request: a mistake in a test."""

    status = 400

    def body(self, language: str, request_id: str) -> dict[str, Any]:
        return {"error_code": "SIMULATOR.CONTROL", "error_msg": str(self)}
