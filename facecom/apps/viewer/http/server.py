"""viser's server behind an access gate: nothing is served and no websocket opened before `Access` allows it."""

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
    BROWSER_COOKIE,
    TOKEN_COOKIE,
    Access,
    AccessDecision,
    browser_id,
    is_session_path,
    new_browser_id,
    new_session_path,
    session_key,
)
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.messages import MAX_MESSAGE_BYTES, MessageFilter
from facecom.errors import need

_log = logging.getLogger(__name__)
_START_LOCK = threading.Lock()
MAX_PORT = 65_535
PROBE_TIMEOUT_S, PROBE_BYTES = 10, 64
"""How long the request that tests the gate may take, and how much of its response is read."""
REFUSALS = {
    AccessDecision.NO_TOKEN: (
        http.HTTPStatus.UNAUTHORIZED,
        "This page needs its token: open the address that facecom serve printed.",
    ),
    AccessDecision.FOREIGN: (
        http.HTTPStatus.FORBIDDEN,
        "This server does not answer to that name, or to pages of other sites.",
    ),
}

SESSION_KEY: ContextVar[str | None] = ContextVar("SESSION_KEY", default=None)
"""Key of the session whose websocket is being handled."""


class AccessGate:
    """Wraps viser's handlers: `wrap_request` checks every request, `wrap_connection` filters every websocket."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self.access, self.limits = access, limits
        self.open_connections = 0
        self.checked_requests = 0

    def wrap_request(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """A `process_request` for websockets' server that asks `Access` first."""

        def process(connection: Any, request: Any) -> Any:
            self.checked_requests += 1
            header = request.headers.get_all
            decision = self.access.decide(
                request.path, host=header("Host"), origin=header("Origin"), cookie=header("Cookie")
            )
            if decision is AccessDecision.SET_COOKIE:
                return page.redirect_response("/", f"{TOKEN_COOKIE}={self.access.cookie_value()}")
            if decision is not AccessDecision.ALLOW:
                return page.text_response(*REFUSALS[decision])
            if request.headers.get("Upgrade", "").lower() == "websocket":
                if self.open_connections >= self.limits.sessions:
                    return page.text_response(
                        http.HTTPStatus.SERVICE_UNAVAILABLE, "As many pages are open as there may be."
                    )
                return None
            if request.path == page.STATUS_PATH:
                return page.status_response(is_full=self.open_connections >= self.limits.sessions)
            return self._page(inner, connection, request)

        return process

    def _page(self, inner: Callable[..., Any], connection: Any, request: Any) -> Any:
        """viser's page under the path of a session; a request without one is redirected to a new path."""
        path = request.path.partition("?")[0]
        browser = browser_id(request.headers.get_all("Cookie"))
        cookie = None if browser else f"{BROWSER_COOKIE}={new_browser_id()}"
        if path in ("/", "/index.html"):
            return page.redirect_response(new_session_path(), cookie)
        if is_session_path(path):
            path = "/"
        response = inner(connection, replace(request, path=path))
        return page.secured_response(response, path, self.limits, host=request.headers["Host"], cookie=cookie)

    def wrap_connection(self, inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A handler of websocket connections that receives only what a `MessageFilter` admits."""

        async def handler(connection: Any) -> None:
            self.open_connections += 1
            request = connection.request
            SESSION_KEY.set(session_key(request.path.partition("?")[0], request.headers.get_all("Cookie")))
            try:
                await inner(_FilteredConnection(connection, MessageFilter(self.limits)))
            finally:
                self.open_connections -= 1

        return handler


class _FilteredConnection:
    """A websocket connection that drops what its filter does not admit, and says so once."""

    def __init__(self, connection: Any, message_filter: MessageFilter) -> None:
        self._connection, self._filter = connection, message_filter
        self._msgpack = need("msgspec.msgpack", extra="viewer")
        self._has_logged = False

    async def recv(self) -> bytes:
        while True:
            raw = await self._connection.recv()
            try:
                message = self._msgpack.decode(raw)
                admitted = self._filter.admit(message)
            except Exception:  # whatever an unknown client sends is dropped, not answered
                admitted = None
            if admitted is None:
                if not self._has_logged:
                    _log.warning("a message that is not for this page was dropped; further ones of it are not logged")
                    self._has_logged = True
                continue
            return raw if admitted is message else self._msgpack.encode(admitted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def start_server(host: str, port: int, *, access: Access, limits: Limits) -> Any:
    """Start viser's server behind a gate.

    viser makes its own websockets server and has no hook for requests. While it does so, the factory that it calls
    is replaced by one that installs the gate; a request tests the gate before the address is handed out.

    Raises
    ------
    ValueError
        When the port is taken.
    RuntimeError
        When viser did not go through the gate.
    """
    viser = need("viser", extra="viewer")
    gate = AccessGate(access, limits)
    with _START_LOCK, _gate_installed(gate):
        _require_free_port(host, port)
        with _stdout_silenced():  # viser prints an address without the token
            server = viser.ViserServer(host=host, port=port, label="facecom", verbose=False)
    try:
        _verify_gate(gate, host, server.get_port())
    except BaseException:
        stop_server(server)
        raise
    return server


def stop_server(server: Any) -> None:
    """Stop a server."""
    with _stdout_silenced():
        server.stop()


def _stdout_silenced() -> contextlib.redirect_stdout[io.StringIO]:
    return contextlib.redirect_stdout(io.StringIO())


@contextlib.contextmanager
def _gate_installed(gate: AccessGate) -> Iterator[None]:
    module = need("websockets.asyncio.server", extra="viewer")
    original = module.serve

    def serve(handler: Any, *args: Any, process_request: Any = None, **options: Any) -> Any:
        options["max_size"] = MAX_MESSAGE_BYTES
        process_request = gate.wrap_request(process_request)
        return original(gate.wrap_connection(handler), *args, process_request=process_request, **options)

    module.serve = serve
    try:
        yield
    finally:
        module.serve = original


def _require_free_port(host: str, port: int) -> None:
    """Raise ValueError where the port is taken or none: viser would silently use the next one."""
    if not 0 <= port <= MAX_PORT:
        raise ValueError(f"a port must be from 0 to {MAX_PORT}, got {port}; choose another --port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port") from None


def _verify_gate(gate: AccessGate, host: str, port: int) -> None:
    """Raise RuntimeError unless the gate refuses a request with a foreign host and origin."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    with socket.create_connection((address, port), timeout=PROBE_TIMEOUT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a.invalid\r\nOrigin: http://b.invalid\r\n\r\n")
        response = connection.recv(PROBE_BYTES)
    if gate.checked_requests != 1 or not response.startswith(b"HTTP/1.1 403"):
        raise RuntimeError("viser's server does not ask the gate; this version of viser cannot be served safely")
