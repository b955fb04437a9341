"""The viewer as a whole: a server, a line, and the visitors whose pages are open or will come back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.access import Access, is_local, new_token
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.server import VISIT, start, stop
from facecom.apps.viewer.scene.viser_scene import set_the_scene
from facecom.apps.viewer.session.client_controller import ClientController, ViewerContext
from facecom.apps.viewer.session.job_queue import JobQueue
from facecom.apps.viewer.session.session_store import SessionStore
from facecom.model.linear.generator import LinearGenerator


@dataclass(frozen=True)
class Running:
    """A viewer that runs.

    address : what to open in a browser, with the token where there is one; port : of the server
    """

    address: str
    port: int


@contextmanager
def viewer(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    limits: Limits | None = None,
    model: LinearGenerator | None = None,
) -> Iterator[Running]:
    """Serve the viewer while the block runs.

    Parameters
    ----------
    host : address to listen on
    port : 0 for any that is free
    token : what a visitor must know; on anything but this machine's own address one is made unless given
    limits : Limits
    model : the face model; the shipped one unless given

    Yields
    ------
    Running

    Raises
    ------
    ValueError
        When the port is taken or the token is too short.
    MissingDependency
        When viser is not installed.
    """
    limits = limits or Limits()
    if token is not None and len(token) < 16:
        raise ValueError(f"the token must have at least 16 characters, got {len(token)}; leave it out to have one made")
    if token is None and not is_local(host):
        token = new_token()
    server = start(host, port, access=Access(token, is_local(host)), limits=limits)
    line = JobQueue(limits.waiting)
    shop = ViewerContext(line, model or LinearGenerator.load(), limits)
    room = SessionStore(lambda: ClientController(shop), limits)
    try:
        _receive(server, room)
        number = server.get_port()
        yield Running(f"http://{_name(host)}:{number}/" + (f"?token={token}" if token else ""), number)
    finally:
        line.close()
        room.close()
        stop(server)


def _name(host: str) -> str:
    """What to call the server in an address."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _receive(server: Any, room: SessionStore[ClientController]) -> None:
    set_the_scene(server)

    @server.on_client_connect
    async def _(client: Any) -> None:
        key = VISIT.get()
        await asyncio.get_running_loop().run_in_executor(None, room.enter, key, client)
        if client.client_id not in server.get_clients():  # it was closed while it was furnished
            room.gone(client.client_id)

    @server.on_client_disconnect
    def _(client: Any) -> None:
        room.gone(client.client_id)
