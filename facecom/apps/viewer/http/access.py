"""Who may see the page: the token, the names under which the server is asked for, and pages of other sites.

Every request is judged before anything is served, the page and the websocket alike.
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

COOKIE, BROWSER = "facecom", "facecom-browser"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Answer(Enum):
    """What a request is told."""

    ENTER = "enter"
    """Go on."""
    WELCOME = "welcome"
    """The address carries the token: set the cookie and come back without it."""
    NO_TOKEN = "no token"
    FOREIGN = "foreign"
    """Asked for under another name, or by a page of another site."""


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
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Access:
    """Judges requests; comparisons with the token take the same time whatever was sent.

    Parameters
    ----------
    token : str or None; None lets everybody in who may ask at all
    local_only : bool, whether the server answers to the names of this machine alone, so that no page elsewhere can
        point a name of its own at it
    key : bytes, what the cookie is derived from the token with; another for each run

    Examples
    --------
    >>> access = Access(token="secret", local_only=False)
    >>> access.judge("/", host=["face.example:8080"]).value
    'no token'
    >>> access.judge("/?token=secret", host=["face.example:8080"]).value
    'welcome'
    """

    token: str | None
    local_only: bool
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def judge(
        self, target: str, *, host: Iterable[str], origin: Iterable[str] = (), cookie: Iterable[str] = ()
    ) -> Answer:
        """What to tell a request.

        Parameters
        ----------
        target : path and query as the request line has them
        host, origin, cookie : all headers of that name
        """
        hosts, origins = list(host), list(origin)
        if len(hosts) != 1 or len(origins) > 1:
            return Answer.FOREIGN
        asked = urlsplit(f"//{hosts[0]}")
        if self.local_only and asked.hostname not in LOCAL_NAMES:
            return Answer.FOREIGN
        if origins and urlsplit(origins[0]).netloc != asked.netloc:
            return Answer.FOREIGN
        if self.token is None or self._knows(cookie):
            return Answer.ENTER
        given = parse_qs(urlsplit(target).query).get("token", [""])[0]
        return Answer.WELCOME if _same(given, self.token) else Answer.NO_TOKEN

    def cookie_value(self) -> str:
        """What the browser keeps: not the token, and worth nothing after this run."""
        return hmac.new(self.key, (self.token or "").encode(), hashlib.sha256).hexdigest()

    def _knows(self, headers: Iterable[str]) -> bool:
        pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
        right = [_same(value, self.cookie_value()) for name, _, value in pairs if name == COOKIE]
        return any(right)  # after every cookie of that name was looked at to its end


def new_browser() -> str:
    """What a browser is known by among others of the same token: 256 random bits."""
    return secrets.token_urlsafe(32)


def new_visit() -> str:
    """The path of a new session: it names the session among those of one browser, and says nothing without that."""
    return "/" + secrets.token_urlsafe(16)


def is_visit(path: str) -> bool:
    """Whether a path is one that `new_visit` might have made.

    Examples
    --------
    >>> is_visit(new_visit()), is_visit("/../../etc/passwd")
    (True, False)
    """
    return re.fullmatch(r"/[A-Za-z0-9_-]{22}", path) is not None


def browser_of(cookies: Iterable[str]) -> str | None:
    """The browser that cookie headers name, None unless it is exactly one."""
    pairs = [pair.strip().partition("=") for header in cookies for pair in header.split(";")]
    named = [value for name, _, value in pairs if name == BROWSER]
    return named[0] if len(named) == 1 and re.fullmatch(r"[A-Za-z0-9_-]{43}", named[0]) else None


def key_of(path: str, cookies: Iterable[str]) -> str | None:
    """What a session is kept under: the browser and the path, hashed; None where either is lacking."""
    browser = browser_of(cookies)
    if browser is None or not is_visit(path):
        return None
    return hashlib.sha256(f"{browser}{path}".encode()).hexdigest()


def _same(given: str, wanted: str) -> bool:
    """Whether two texts are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(wanted.encode()).digest())
