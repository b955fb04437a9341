"""Access control: the token, the allowed host names, and the same-origin check.

Every request, of the page and of the websocket alike, is checked before anything is served.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

TOKEN_COOKIE, BROWSER_COOKIE = "facecom", "facecom-browser"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
TOKEN_BYTES, SESSION_PATH_BYTES = 32, 16
"""Random bytes of a token, a browser's identifier and a cookie's key; and of a session's path."""


class AccessDecision(Enum):
    """What is done with a request."""

    ALLOW = "allow"
    SET_COOKIE = "set cookie"
    """The address carries the token: set the cookie and redirect to the address without it."""
    NO_TOKEN = "no token"
    FOREIGN = "foreign"
    """Refused: another host name, or a page of another origin."""


def is_local(host: str) -> bool:
    """Whether a server that listens on `host` can be reached from this machine alone.

    Examples
    --------
    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A token that cannot be guessed: 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass(frozen=True)
class Access:
    """Decides on requests; comparisons with the token take constant time.

    Parameters
    ----------
    token : str or None; without one every request of an allowed host and origin is let in
    local_only : bool, whether only the names of this machine are allowed as host, against DNS rebinding
    key : bytes, HMAC key with which the cookie is derived from the token; a new one for each run

    Examples
    --------
    >>> access = Access(token="secret", local_only=False)
    >>> access.decide("/", host=["face.example:8080"]).value
    'no token'
    >>> access.decide("/?token=secret", host=["face.example:8080"]).value
    'set cookie'
    """

    token: str | None
    local_only: bool
    key: bytes = field(default_factory=lambda: secrets.token_bytes(TOKEN_BYTES), repr=False)

    def decide(
        self, target: str, *, host: Iterable[str], origin: Iterable[str] = (), cookie: Iterable[str] = ()
    ) -> AccessDecision:
        """Decide on a request.

        Parameters
        ----------
        target : path and query as the request line has them
        host, origin, cookie : all headers of that name

        Returns
        -------
        AccessDecision
        """
        hosts, origins = list(host), list(origin)
        if len(hosts) != 1 or len(origins) > 1:
            return AccessDecision.FOREIGN
        asked = urlsplit(f"//{hosts[0]}")
        if self.local_only and asked.hostname not in LOCAL_NAMES:
            return AccessDecision.FOREIGN
        if origins and urlsplit(origins[0]).netloc != asked.netloc:
            return AccessDecision.FOREIGN
        if self.token is None or self._has_token_cookie(cookie):
            return AccessDecision.ALLOW
        given = parse_qs(urlsplit(target).query).get("token", [""])[0]
        return AccessDecision.SET_COOKIE if _equal_in_constant_time(given, self.token) else AccessDecision.NO_TOKEN

    def cookie_value(self) -> str:
        """The value of the cookie: an HMAC of the token, which is worth nothing after this run."""
        return hmac.new(self.key, (self.token or "").encode(), hashlib.sha256).hexdigest()

    def _has_token_cookie(self, headers: Iterable[str]) -> bool:
        pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
        right = [
            _equal_in_constant_time(value, self.cookie_value()) for name, _, value in pairs if name == TOKEN_COOKIE
        ]
        return any(right)  # after every cookie of that name was looked at to its end


def new_browser_id() -> str:
    """An identifier that tells one browser from others with the same token: 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_session_path() -> str:
    """The path of a new session, 128 random bits; it opens the session only together with the browser's cookie."""
    return "/" + secrets.token_urlsafe(SESSION_PATH_BYTES)


def is_session_path(path: str) -> bool:
    """Whether a path has the form of `new_session_path`.

    Examples
    --------
    >>> is_session_path(new_session_path()), is_session_path("/../../etc/passwd")
    (True, False)
    """
    return re.fullmatch(r"/[A-Za-z0-9_-]{22}", path) is not None


def browser_id(cookies: Iterable[str]) -> str | None:
    """The browser identifier in cookie headers, None unless there is exactly one."""
    pairs = [pair.strip().partition("=") for header in cookies for pair in header.split(";")]
    named = [value for name, _, value in pairs if name == BROWSER_COOKIE]
    return named[0] if len(named) == 1 and re.fullmatch(r"[A-Za-z0-9_-]{43}", named[0]) else None


def session_key(path: str, cookies: Iterable[str]) -> str | None:
    """The key under which a session is stored: SHA-256 of browser identifier and path; None where either is lacking."""
    browser = browser_id(cookies)
    if browser is None or not is_session_path(path):
        return None
    return hashlib.sha256(f"{browser}{path}".encode()).hexdigest()


def _equal_in_constant_time(given: str, wanted: str) -> bool:
    """Whether two texts are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(wanted.encode()).digest())
