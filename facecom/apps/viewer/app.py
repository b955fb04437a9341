"""The viewer: its server, its job queue, and the sessions of its clients."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.access import Access, is_local, new_token
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.log_limit import log_limited
from facecom.apps.viewer.http.server import SESSION_KEY, start_server, stop_server
from facecom.apps.viewer.scene.viser_scene import configure_initial_view
from facecom.apps.viewer.session.client_controller import ClientController
from facecom.apps.viewer.session.context import ViewerContext
from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.apps.viewer.session.job_queue import JobQueue
from facecom.apps.viewer.session.session_store import SessionStore
from facecom.model.linear.generator import LinearGenerator

MIN_TOKEN_LENGTH = 16
"""Characters of a token that a caller chooses."""
DEFAULT_PORT = 8080


@dataclass(frozen=True)
class RunningViewer:
    """A running viewer.

    address : the address to open in a browser, with the token where there is one; port : of the server
    """

    address: str
    port: int


@contextmanager
def viewer(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    token: str | None = None,
    limits: Limits | None = None,
    model: LinearGenerator | None = None,
) -> Iterator[RunningViewer]:
    """Serve the viewer while the block runs.

    Parameters
    ----------
    host : address to listen on
    port : 0 for any that is free
    token : what a client must know; one is made unless given, except on a loopback address, which needs none
    limits : Limits
    model : the face model; the shipped one unless given

    Yields
    ------
    RunningViewer

    Raises
    ------
    ValueError
        When the port is none, or is taken, or the token is too short.
    MissingDependency
        When viser is not installed.
    """
    limits = limits or Limits()
    if token is not None and len(token) < MIN_TOKEN_LENGTH:
        raise ValueError(
            f"the token must have at least {MIN_TOKEN_LENGTH} characters, got {len(token)}; "
            "leave it out to have one made"
        )
    if token is None and not is_local(host):
        token = new_token()
    with log_limited(), _shared(model) as shared:
        yield from _served(host, port, token, limits, shared)


@contextmanager
def _shared(model: LinearGenerator | None) -> Iterator[SharedModel]:
    """The model, in a folder for child processes unless it is the shipped one."""
    if model is None:
        yield SharedModel(LinearGenerator.load())
        return
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        model.save(folder)
        yield SharedModel(model, folder)


def _served(host: str, port: int, token: str | None, limits: Limits, model: SharedModel) -> Iterator[RunningViewer]:
    server = start_server(host, port, access=Access(token, is_local(host)), limits=limits)
    queue, reading = JobQueue(limits.jobs), JobQueue(2 * limits.sessions, workers=limits.reads)
    context = ViewerContext(queue, reading, model, limits)
    store = SessionStore(lambda: ClientController(context), limits)
    try:
        _connect_clients(server, store)
        number = server.get_port()
        query = f"?token={token}" if token else ""
        yield RunningViewer(f"http://{_host_name(host)}:{number}/{query}", number)
    finally:
        queue.close()
        reading.close()
        store.close()
        stop_server(server)


def _host_name(host: str) -> str:
    """The server's name in an address."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _connect_clients(server: Any, store: SessionStore[ClientController]) -> None:
    configure_initial_view(server)

    @server.on_client_connect
    async def _(client: Any) -> None:
        key = SESSION_KEY.get()
        await asyncio.get_running_loop().run_in_executor(None, store.connect, key, client)
        if client.client_id not in server.get_clients():  # the page was closed meanwhile
            store.disconnect(client.client_id)

    @server.on_client_disconnect
    def _(client: Any) -> None:
        store.disconnect(client.client_id)
