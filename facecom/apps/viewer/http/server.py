"""viser's server behind the gate: one port, nothing served and no websocket opened before `Access` has said so."""

from __future__ import annotations

import contextlib
import http
import io
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from facecom.apps.viewer.http import page
from facecom.apps.viewer.http.access import (
    BROWSER,
    COOKIE,
    Access,
    Answer,
    browser_of,
    is_visit,
    key_of,
    new_browser,
    new_visit,
)
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.messages import MOST_BYTES, MessageFilter
from facecom.errors import need

_log = logging.getLogger(__name__)
_starting = threading.Lock()

REFUSALS = {
    Answer.NO_TOKEN: (
        http.HTTPStatus.UNAUTHORIZED,
        "This page needs its token: open the address that facecom serve printed.",
    ),
    Answer.FOREIGN: (
        http.HTTPStatus.FORBIDDEN,
        "This server does not answer to that name, or to pages of other sites.",
    ),
}


VISIT: ContextVar[str | None] = ContextVar("VISIT", default=None)
"""What the session of the page that is being heard is kept under."""


class Gate:
    """Wraps viser's handlers: `request` stands before every request, `talk` around every websocket."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self.access, self.limits = access, limits
        self.talking = 0
        self.judged = 0

    def request(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """A `process_request` for websockets' server that asks `Access` first."""

        def process(connection: Any, request: Any) -> Any:
            self.judged += 1
            every = request.headers.get_all
            answer = self.access.judge(request.path, host=every("Host"), origin=every("Origin"), cookie=every("Cookie"))
            if answer is Answer.WELCOME:
                return page.redirect("/", f"{COOKIE}={self.access.cookie_value()}")
            if answer is not Answer.ENTER:
                return page.text(*REFUSALS[answer])
            if request.headers.get("Upgrade", "").lower() == "websocket":
                if self.talking >= self.limits.sessions:
                    return page.text(http.HTTPStatus.SERVICE_UNAVAILABLE, "As many pages are open as there may be.")
                return None
            return self._page(inner, connection, request)

        return process

    def _page(self, inner: Callable[..., Any], connection: Any, request: Any) -> Any:
        """viser's page under the path of a session; whoever has none is sent to a new one."""
        path = request.path.partition("?")[0]
        known = browser_of(request.headers.get_all("Cookie"))
        cookie = None if known else f"{BROWSER}={new_browser()}"
        if path in ("/", "/index.html"):
            return page.redirect(new_visit(), cookie)
        if is_visit(path):
            path = "/"
        answer = inner(connection, replace(request, path=path))
        return page.dressed(answer, path, self.limits, host=request.headers["Host"], cookie=cookie)

    def talk(self, inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A handler of websocket connections that hears only what `Meter` admits."""

        async def handler(connection: Any) -> None:
            self.talking += 1
            said = connection.request
            VISIT.set(key_of(said.path.partition("?")[0], said.headers.get_all("Cookie")))
            try:
                await inner(_Filtered(connection, MessageFilter(self.limits)))
            finally:
                self.talking -= 1

        return handler


class _Filtered:
    """A websocket connection that drops what the meter does not admit."""

    def __init__(self, connection: Any, meter: MessageFilter) -> None:
        self._connection, self._meter = connection, meter
        self._packing = need("msgspec.msgpack", extra="viewer")

    async def recv(self) -> bytes:
        while True:
            raw = await self._connection.recv()
            try:
                message = self._packing.decode(raw)
                admitted = self._meter.admit(message)
            except Exception:  # whatever a stranger sends is dropped, not answered
                admitted = None
            if admitted is None:
                _log.warning("a message that is not for this page was dropped")
                continue
            return raw if admitted is message else self._packing.encode(admitted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def start(host: str, port: int, *, access: Access, limits: Limits) -> Any:
    """Start viser's server behind a gate.

    viser makes its own websockets server and has no hook for requests; for the moment in which it does so, the
    factory that it calls is one that puts the gate in. Whether it did is tried before anybody learns the address.

    Raises
    ------
    ValueError
        When the port is taken.
    RuntimeError
        When viser did not go through the gate.
    """
    viser = need("viser", extra="viewer")
    gate = Gate(access, limits)
    with _starting, _gated(gate):
        _free(host, port)
        with _silent():  # viser prints an address without the token
            server = viser.ViserServer(host=host, port=port, label="facecom", verbose=False)
    try:
        _try_door(gate, host, server.get_port())
    except BaseException:
        stop(server)
        raise
    return server


def stop(server: Any) -> None:
    """End a server."""
    with _silent():
        server.stop()


def _silent() -> contextlib.redirect_stdout[io.StringIO]:
    return contextlib.redirect_stdout(io.StringIO())


@contextlib.contextmanager
def _gated(gate: Gate) -> Iterator[None]:
    module = need("websockets.asyncio.server", extra="viewer")
    original = module.serve

    def serve(handler: Any, *args: Any, process_request: Any = None, **options: Any) -> Any:
        options["max_size"] = MOST_BYTES
        return original(gate.talk(handler), *args, process_request=gate.request(process_request), **options)

    module.serve = serve
    try:
        yield
    finally:
        module.serve = original


def _free(host: str, port: int) -> None:
    """viser would take the next port instead."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port") from None


def _try_door(gate: Gate, host: str, port: int) -> None:
    """A request under a name that no server here has must be turned away by the gate."""
    to = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    with socket.create_connection((to, port), timeout=10) as knock:
        knock.sendall(b"GET / HTTP/1.1\r\nHost: a.invalid\r\nOrigin: http://b.invalid\r\n\r\n")
        told = knock.recv(64)
    if gate.judged != 1 or not told.startswith(b"HTTP/1.1 403"):
        raise RuntimeError("viser's server does not ask the gate; this version of viser cannot be served safely")
