# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redaction of untrusted text for error messages."""

from __future__ import annotations

import re
import typing as t
from base64 import b64encode
from html import unescape
from urllib.parse import unquote, unquote_plus, urlsplit

from ._errors import InvalidOptionError

MASK = "********"
MAX_LENGTH = 512  # characters, the documented length of an error message of DRS


def redact(text: str, secrets: t.Iterable[str]) -> str:
    """Return the text on one line, with secrets replaced by asterisks.

    :param secrets: the strings to mask.
    :returns: at most 512 characters. If decoding JSON, HTML or URL escapes would reveal a secret, the whole text is
        replaced.
    """
    text = text[:200000]
    # Longest first, because a secret may be part of another.
    ordered = sorted(filter(None, secrets), key=len, reverse=True)
    for secret in ordered:
        text = text.replace(secret, MASK)
        if len(secret) > 32 and secret[:16] in text:  # a token that the server truncated
            text = re.sub(re.escape(secret[:16]) + r"\S*", MASK, text)
    text = re.sub(r"(?i)\b(signature=)\w+", rf"\1{MASK}", text)
    decoded = {text}
    # Text without these characters has no escapes. Three levels cover JSON in a URL in HTML.
    for _depth in range(0 if set("&%+\\").isdisjoint(text) else 3):
        decoded |= {decode(item) for item in decoded for decode in (unescape, unquote, unquote_plus, _unescape_json)}
    if any(secret in item for secret in ordered for item in decoded) or any(
        re.search(r"(?i)\bsignature=\w", item) for item in decoded
    ):
        return "(hidden because it contains a secret)"
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_LENGTH]


def excerpt(content: bytes) -> str:
    """Return the text of a body that is not JSON, or the title of an HTML page. The result must be redacted."""
    text = content.decode("utf-8", "replace")
    title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
    if title:
        return unescape(title[1])
    if re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
        return "an HTML page without a title"
    return text


def proxy_secrets(proxy: str) -> set[str]:
    """Return the password in the URL of a proxy as it is written, decoded, and as it is sent.

    :raises InvalidOptionError: when the URL is invalid. The message omits it, because part of it may be a password.
    """
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        password = parts.password or ""
        good = proxy.isascii() and parts.hostname and parts.port != 0 and ("@" in parts.netloc or "@" not in proxy)
    except ValueError:
        good = False
    if not good:
        raise InvalidOptionError(
            "The proxy URL in the environment is invalid. It must have the form http://host:port or"
            " http://user:password@host:port, with special characters in the password percent-encoded."
        )
    if not password:
        return set()
    login = f"{unquote(parts.username or '')}:{unquote(password)}"
    return {password, unquote(password), b64encode(login.encode("latin-1", "replace")).decode()}


def _unescape_json(text: str) -> str:
    names = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

    def unescape_one(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else names.get(match[2], match[2])

    plain = re.sub(r"\\(?:u([0-9A-Fa-f]{4})|(.))", unescape_one, text)
    # JSON escapes characters beyond U+FFFF as surrogate pairs.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
