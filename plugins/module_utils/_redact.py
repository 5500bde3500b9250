# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redaction of untrusted text for error messages."""

from __future__ import annotations

import functools
import re
import typing as t
from base64 import b64encode, urlsafe_b64decode
from html import unescape
from urllib.parse import unquote, unquote_plus, urlsplit

from . import _errors

MASK = "********"
HIDDEN = "(hidden because it contains a secret)"
MAX_LENGTH = 512  # characters, the documented length of an error message of DRS
# Characters, after white space is folded. To search a longer text would take seconds. To cut it could leave a part of a
# secret, which would not be recognized.
MAX_SEARCHED = 200000
ESCAPES = "(omitted because it contains escape sequences of terminals)"
TOO_LONG = f"(omitted because it has more than {MAX_SEARCHED} characters)"
# Of secrets that are longer, such as tokens, pieces are recognized as well.
LONG, PIECE = 32, 16  # characters
# The signature of a request with an access key, or a part of it, in lower case. It differs in each request. No name of
# a job looks like this: names have up to 50 letters, digits, hyphens and underscores.
SIGNATURE = r"signature=\w|signature[^\w-]{1,9}[0-9a-f]{8}|[0-9a-f]{51}"
ID = "(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"  # of a project or a request; several may stand side by side
UNSEARCHED = "(omitted because there was no time to search it for secrets)"
ESCAPE_CHARACTERS = frozenset("&%+\\")  # Text without them has no escapes.
SHORT = 6  # Characters. Fewer may be in any text by chance, if its white space does not count.


def redact(value: t.Any, secrets: t.Iterable[str], has_signatures: bool = True) -> str:
    """Return a text, or a JSON value as text, on one line, with secrets replaced by asterisks.

    :param secrets: the strings to mask, in upper and lower case.
    :param has_signatures: whether the text may contain a signature. Any other text that looks like one is shown.
    :returns: at most 512 characters. If a secret can be read in another way, the whole text is replaced: after decoding
        JSON, HTML, URL escapes or Base64, across white space, or in a text whose character set is not known. Of a
        secret of more than 32 characters, a piece of 16 counts.
    """
    line = _one_line(str(value))
    if line in (ESCAPES, TOO_LONG):
        return line
    ordered = _order(secrets)
    if isinstance(value, (dict, list)):
        # Python's text of it escapes what it contains, which is one more encoding.
        content = " ".join(_texts(value))
        if hide(content, ordered, has_signatures) != content:
            return HIDDEN
    masked = _mask(line, ordered)
    return HIDDEN if _is_revealing(masked, ordered, MAX_LENGTH, has_signatures) else masked.strip()[:MAX_LENGTH]


def _texts(value: t.Any) -> t.Iterator[str]:
    """Return the keys and values of a JSON value, at all levels."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, (dict, list)):
            rest.extend([*item, *item.values()] if isinstance(item, dict) else item)
        else:
            yield str(item)


def hide(text: str, secrets: t.Iterable[str], has_signatures: bool = True) -> str:
    """Return a text of a result, or :data:`HIDDEN` if it contains a secret as :func:`redact` recognizes it.

    :param has_signatures: see :func:`redact`.
    """
    line = _one_line(text)
    if line in (ESCAPES, TOO_LONG):
        return line
    ordered = _order(secrets)
    is_revealing = _mask(line, ordered) != line or _is_revealing(line, ordered, len(line), has_signatures)
    return HIDDEN if is_revealing else text


def _one_line(text: str) -> str:
    """Return the text on one line, or what to show in its place if it cannot be searched."""
    # A sequence may divide a secret, or end with the beginning of one.
    if "\x1b[" in text or "\x9b" in text:
        return ESCAPES
    # UTF-16 has a zero byte beside each ASCII character.
    line = _fold(text.replace("\0", ""))
    return line if len(line) <= MAX_SEARCHED else TOO_LONG


def _order(secrets: t.Iterable[str]) -> list[str]:
    """Return the secrets as they may be in a text on one line, longest first: one may be part of another."""
    return sorted(filter(None, {form for secret in secrets for form in (secret, _fold(secret))}), key=len)[::-1]


def _mask(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
        if secret.lower() in text.lower():
            text = re.sub(re.escape(secret), MASK, text, flags=re.IGNORECASE)
        if len(secret) > LONG and secret[:PIECE] in text:  # a token that the server truncated
            text = re.sub(re.escape(secret[:PIECE]) + r"\S*", MASK, text)
    return text


def _is_revealing(text: str, secrets: list[str], length: int, has_signatures: bool) -> bool:
    """Return whether a secret can be read in the first characters of the text, as it is or after decoding it.

    :param length: the number of characters that are shown.
    :param has_signatures: see :func:`redact`.
    """
    has_escapes = not ESCAPE_CHARACTERS.isdisjoint(text)
    forms = without_space = {text if has_escapes else text[: length * 3]}
    # Three times cover JSON in a URL in HTML. Only what begins among the characters that are shown counts, so each time
    # needs less text.
    for factor in (80, 16, 3) if has_escapes else ():
        forms = _unescape(forms, length * factor)
        # White space, and zero bytes of UTF-16, may be within escapes, and escaped themselves.
        without_space = _unescape({_without_space(form) for form in without_space}, length * factor)
    # Where white space is the only difference, a short secret may be there by chance.
    forms |= without_space - set(map(_without_space, forms))
    # UTF-16 and escapes may be within Base64.
    forms |= _unescape({_fold(found.replace("\0", "")) for form in forms for found in _decode_base64(form)}, length)
    lowered = [form.lower() for form in forms]
    solid = [_solid(form) for form in lowered]
    if has_signatures:
        joined = [_solid(re.sub(ID, ".", form)) for form in lowered]
        if any(re.search(SIGNATURE, form) for form in (*lowered, *joined)):
            return True
    for secret in secrets:
        folded = {secret.lower(), secret.upper().lower()}  # some characters become two in upper case
        if any(form in item for form in folded for item in lowered):
            return True
        if len(secret) > LONG:
            pieces = _pieces(_solid(secret.lower()))
            shown = (item[start : start + PIECE] for item in solid for start in range(min(length, len(item))))
            if not pieces.isdisjoint(shown):
                return True
        elif any(len(form) >= SHORT and form in item for form in map(_solid, folded) for item in solid):
            return True
    return False


@functools.lru_cache(maxsize=16)  # A token has thousands.
def _pieces(secret: str) -> frozenset[str]:
    return frozenset(secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1))


def _without_space(text: str) -> str:
    return re.sub(r"[\s\0\ufffd]", "", text)  # HTML has a replacement character for a zero byte


def _solid(text: str) -> str:
    """Return the ASCII characters of a text that are not white space. Others differ between character sets."""
    return re.sub("[^!-~]", "", text)


def _unescape(texts: set[str], length: int) -> set[str]:
    """Return the texts, and what they are once escapes are undone, each up to a length."""
    decoders = (_unescape_html, unquote, unquote_plus, _unescape_json)
    found = {decode(text) for text in texts if not ESCAPE_CHARACTERS.isdisjoint(text) for decode in decoders}
    return {text[:length] for text in texts | found}


def excerpt(content: bytes) -> str:
    """Return the text of a body that is not JSON, or the title of an HTML page. The result must be redacted."""
    text = content.decode("utf-8", "replace")
    title = re.search(r"<title[^<>]*>([^<]*)(</title|$)", text, re.IGNORECASE)
    if title:
        return title[1]  # As it was sent: to undo the escapes of HTML could hide others from the search.
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
        good = parts.hostname and parts.port != 0 and ("@" in parts.netloc or "@" not in proxy)
        good = good and proxy.isascii() and "\\" not in proxy  # For urllib3, a backslash ends the host.
    except ValueError:
        good = False
    if not good:
        raise _errors.InvalidOptionError(
            "The proxy URL in the environment is invalid. It must have the form http://host:port or"
            " http://user:password@host:port, with special characters in the password percent-encoded."
        )
    secret = password or (parts.password is not None and parts.username)  # Some proxies take a key as the user name.
    if not secret:
        return set()
    login = f"{unquote(parts.username or '')}:{unquote(password)}"
    return {secret, unquote(secret), b64encode(login.encode("latin-1", "replace")).decode()}


def _unescape_html(text: str) -> str:
    """Return the text without HTML escapes. ``html.unescape`` fails for numbers of more than 4,300 digits."""
    return unescape(re.sub(r"&#0*([0-9]{1,8})[0-9]*", r"&#\1", text))


def _fold(text: str) -> str:
    """Return the text on one line, with one space for all that is not printable, and for several spaces."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return re.sub("  +", " ", text)


def _decode_base64(text: str) -> set[str]:
    """Return what a text holds if it is Base64, in lines of any length, and wherever it begins."""
    run = re.sub("[^A-Za-z0-9+/_-]", "", text).translate({43: "-", 47: "_"})
    found = set()
    for item in (run[start:] for start in range(4)):
        # The last character is not enough for a byte if it is alone in its group of four.
        whole = item[: len(item) - (len(item) % 4 == 1)]
        found.add(urlsafe_b64decode(whole + "=" * (-len(whole) % 4)).decode("utf-8", "replace"))
    return found


def _unescape_json(text: str) -> str:
    names = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

    def unescape_one(match: re.Match[str]) -> str:
        digits = match[1] or match[2]  # \\x is of JavaScript and of the logs of web servers
        return chr(int(digits, 16)) if digits else names.get(match[3].lower(), match[3])

    plain = re.sub(r"\\(?:[uU]([0-9A-Fa-f]{4})|[xX]([0-9A-Fa-f]{2})|(.))", unescape_one, text)
    # JSON escapes characters beyond U+FFFF as surrogate pairs.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
