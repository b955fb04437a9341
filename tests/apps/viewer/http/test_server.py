"""The gate in front of viser's server, over real sockets."""

import asyncio
import functools
import re
import signal
import socket
import subprocess
import sys

import pytest

pytest.importorskip("viser", reason="the viewer extra is not installed")

import websockets.asyncio.client
import websockets.exceptions

from facecom.apps.viewer.http.access import (
    BROWSER_COOKIE,
    TOKEN_COOKIE,
    Access,
    is_session_path,
    new_browser_id,
    new_session_path,
    session_key,
)
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.server import SESSION_KEY, start_server, stop_server

TOKEN = "the token of this test"


@pytest.fixture(scope="module")
def guarded():
    """A server that asks for a token, and its access."""
    access = Access(TOKEN, local_only=False)
    server = start_server("127.0.0.1", 0, access=access, limits=Limits(sessions=2))
    yield server, access
    stop_server(server)


def ask(port, target="/", *, host=None, headers=()):
    """Status, headers and body of a request, sent as it is written."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", *headers, "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as talk:
        talk.sendall("\r\n".join(lines).encode())
        told = b"".join(iter(lambda: talk.recv(65536), b""))
    head, _, body = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1"), body


UPGRADE = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: viser-v1.1.1",
)  # fmt: skip


@pytest.mark.parametrize("extra", [(), UPGRADE, ("Upgrade: WebSocket",), ("Accept-Encoding: gzip",)])
@pytest.mark.parametrize(
    "target",
    ["/", "/index.html", "/?token=wrong", "/?token=", "/../../etc/passwd", "/%2e%2e/x", "//x", "/?a=/index.html"],
)
def test_without_the_token_nothing_is_served(guarded, target, extra):
    server, _ = guarded
    status, head, body = ask(server.get_port(), target, headers=extra)
    assert status == 401
    assert "set-cookie" not in head.lower()
    assert len(body) < 200
    assert b"viser" not in body.lower()


def test_the_token_leads_to_the_page_and_a_cookie(guarded):
    server, access = guarded
    status, head, body = ask(server.get_port(), "/?token=the%20token%20of%20this%20test")
    assert (status, body) == (303, b"")
    cookie = re.search(r"Set-Cookie: (\S+); Path=/; HttpOnly; SameSite=Strict", head)[1]
    assert TOKEN not in head
    status, head, body = ask(server.get_port(), headers=[f"Cookie: {cookie}"])
    assert (status, body) == (303, b"")
    visit, browser = re.search(r"Location: (/\S+)", head)[1], re.search(r"Set-Cookie: (\S+); Path=/; HttpOnly", head)[1]
    assert is_session_path(visit)
    status, head, body = ask(
        server.get_port(), visit, headers=[f"Cookie: {cookie}; {browser}", "Accept-Encoding: gzip"]
    )
    assert status == 200
    assert "set-cookie" not in head.lower()
    assert f"connect-src 'self' data: blob: ws://127.0.0.1:{server.get_port()} wss" in head
    assert b"<title>facecom</title>" in body
    assert b"window.facecomSettings" in body
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control"):
        assert name in head


def test_nothing_but_the_page_is_there(guarded):
    server, access = guarded
    for target in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/server.py", "/..%5c..%5cx", "/viser", "/assets/"):
        assert ask(server.get_port(), target, headers=[f"Cookie: {TOKEN_COOKIE}={access.cookie_value()}"])[0] == 404, (
            target
        )


def connect(server, access, *, cookie=True, origin=None, path="/", more=""):
    port = server.get_port()
    return websockets.asyncio.client.connect(
        f"ws://127.0.0.1:{port}{path}",
        subprotocols=["viser-v1.1.1"],
        origin=origin or f"http://127.0.0.1:{port}",
        additional_headers={"Cookie": f"{TOKEN_COOKIE}={access.cookie_value()}{more}"} if cookie else {},
        proxy=None,
    )


def test_a_page_brings_the_key_of_its_session_and_no_other_browser_has_it(guarded, monkeypatch):
    server, access = guarded
    heard = []
    monkeypatch.setattr(server._websock_server, "_client_connect_cb", [lambda page: heard.append(SESSION_KEY.get())])
    visit, mine, other = new_session_path(), new_browser_id(), new_browser_id()
    told = [(visit, mine), (visit, mine), (visit, other), (new_session_path(), mine), ("/", mine), (visit, "../../x")]

    async def talk():
        for path, browser in told:
            async with connect(server, access, path=path, more=f"; {BROWSER_COOKIE}={browser}"):
                await asyncio.sleep(0.1)

    asyncio.run(talk())
    assert heard[0] == heard[1] == session_key(visit, [f"{BROWSER_COOKIE}={mine}"])
    assert heard[4:] == [None, None]
    assert len(set(heard)) == 4
    assert not any(mine in str(key) or visit in str(key) for key in heard)


def status_of(server, access, **options):
    async def talk():
        try:
            async with connect(server, access, **options):
                return 101
        except websockets.exceptions.InvalidStatus as error:
            return error.response.status_code

    return asyncio.run(talk())


def test_websockets_are_judged_as_well(guarded):
    assert status_of(*guarded) == 101
    assert status_of(*guarded, cookie=False) == 401
    assert status_of(*guarded, origin="http://evil.example") == 403


def test_no_more_pages_than_allowed(guarded):
    async def crowd():
        async with connect(*guarded), connect(*guarded):
            try:
                async with connect(*guarded):
                    return 101
            except websockets.exceptions.InvalidStatus as error:
                return error.response.status_code

    assert asyncio.run(crowd()) == 503


def test_a_page_without_room_is_told_by_the_server(guarded):
    """Its websocket is refused before it can be told anything."""
    server, access = guarded
    cookie = [f"Cookie: {TOKEN_COOKIE}={access.cookie_value()}"]

    async def crowd():
        async with connect(*guarded), connect(*guarded):
            return await asyncio.to_thread(ask, server.get_port(), "/status", headers=cookie)

    assert ask(server.get_port(), "/status")[0] == 401
    assert ask(server.get_port(), "/status", headers=cookie)[2] == b'{"full": false}'
    assert asyncio.run(crowd())[2] == b'{"full": true}'


def test_a_client_cannot_flood_the_log(guarded, caplog):
    async def talk():
        async with connect(*guarded) as page:
            for _ in range(2000):
                await page.send(b"\x81\xa4type\xafShareUrlRequest")
            await page.ping()

    asyncio.run(talk())
    assert [r.levelname for r in caplog.records if "dropped" in r.getMessage()] == ["WARNING"]


def test_a_message_that_is_too_long_or_no_message_does_no_harm(guarded):
    server, access = guarded

    async def talk(content):
        page = await connect(server, access)
        try:
            await page.send(content)
            while True:
                await asyncio.wait_for(page.recv(), 1.0)
        except websockets.exceptions.ConnectionClosed as closed:
            return closed.rcvd.code  # and nothing is left to close
        except TimeoutError:
            await page.close()
            return None

    assert asyncio.run(talk(b"\x00" * 5_000_000)) == 1009
    assert asyncio.run(talk(b"\x00")) is None
    assert asyncio.run(talk(b"\x81\xa4type\xafShareUrlRequest")) is None
    assert server._share_tunnel is None
    assert ask(server.get_port())[0] == 401


def test_a_taken_port_is_said(guarded):
    with pytest.raises(ValueError, match="another --port"):
        start_server("127.0.0.1", guarded[0].get_port(), access=Access(None, local_only=True), limits=Limits())


@pytest.mark.parametrize("port", [99999, -1, 65_536])
def test_a_port_that_is_none_is_said(port):
    with pytest.raises(ValueError, match=f"from 0 to 65535, got {port}"):
        start_server("127.0.0.1", port, access=Access(None, local_only=True), limits=Limits())


def test_a_viser_that_goes_around_the_gate_is_not_started(monkeypatch):
    """The gate is tried before anybody learns the address."""
    import contextlib

    monkeypatch.setattr("facecom.apps.viewer.http.server._gate_installed", lambda gate: contextlib.nullcontext())
    with pytest.raises(RuntimeError, match="does not ask the gate"):
        start_server("127.0.0.1", 0, access=Access("x" * 20, local_only=False), limits=Limits())


def test_the_command_prints_a_token_where_others_may_come_and_ends_with_ctrl_c():
    hear = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, "-m", "facecom", "serve", "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear) as child:
        line = child.stdout.readline()
        address = re.search(r"http://[^/]+:(\d+)/\?token=(\S{40,})", line)
        assert address, line + child.stderr.read()
        port, token = int(address[1]), address[2]
        assert ask(port)[0] == 401
        assert ask(port, f"/?token={token}")[0] == 303
        child.send_signal(signal.SIGINT)
        said, errors = child.stdout.read(), child.stderr.read()
        assert child.wait(60) == 0, errors
    assert "not encrypted" in said
    assert said.endswith("ended\n")
    assert "viser" not in said
    assert errors == ""
