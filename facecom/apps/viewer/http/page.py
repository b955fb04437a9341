"""HTTP responses: viser's page with our title and file drop, refusals, and their security headers."""

from __future__ import annotations

import gzip
import http
import json
import re
from importlib import resources
from typing import Any

from facecom.apps.viewer.http.limits import Limits
from facecom.errors import need
from facecom.io.files import SINGLE_FILES

# viser's page unpacks itself in the browser, for which it needs inline scripts, eval and workers from blobs;
# nothing may come from or go to another place, and no address may name another server for its websocket.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob: data:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob: ws://{host} wss://{host}; worker-src 'self' blob: data:; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'; object-src 'none'"
)
STATUS_PATH = "/status"
"""Where a page without a connection asks whether the server is there and has room for it."""
SCRIPTS = ("drop.js", "connection.js", "layout.js")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def text_response(status: http.HTTPStatus, text: str) -> Any:
    """A response of plain text."""
    return _response(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def status_response(*, is_full: bool) -> Any:
    """Whether as many pages are open as there may be, as JSON."""
    return _response(http.HTTPStatus.OK, json.dumps({"full": is_full}).encode(), {"Content-Type": "application/json"})


def redirect_response(path: str, cookie: str | None = None) -> Any:
    """A redirect to another path, with a cookie, name=value, to set."""
    return _response(http.HTTPStatus.SEE_OTHER, b"", {"Location": path} | _cookie_header(cookie))


def secured_response(response: Any, path: str, limits: Limits, *, host: str, cookie: str | None = None) -> Any:
    """viser's response with our headers; its page with our title and script.

    host : name and port of the request's Host header
    """
    kind = response.headers.get("Content-Type", "text/plain")
    body = response.body
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    if path.partition("?")[0] in ("/", "/index.html"):
        body = _with_script(body.decode(), limits).encode()
    websocket_host = host if re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", host) else ""
    policy = CONTENT_SECURITY_POLICY.format(host=websocket_host)
    headers = {"Content-Type": kind, "Content-Security-Policy": policy}
    return _response(http.HTTPStatus(response.status_code), body, headers | _cookie_header(cookie))


def _cookie_header(cookie: str | None) -> dict[str, str]:
    """The header that sets a cookie, name=value, which scripts cannot read and other sites cannot send."""
    return {} if cookie is None else {"Set-Cookie": f"{cookie}; Path=/; HttpOnly; SameSite=Strict"}


def _with_script(html: str, limits: Limits) -> str:
    settings = {"bytes": limits.upload_bytes, "suffixes": SINGLE_FILES, "status": STATUS_PATH, "pages": limits.sessions}
    text = json.dumps(settings).replace("<", "\\u003c")
    folder = resources.files("facecom").joinpath("assets", "viewer")
    code = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f"<script>window.facecomSettings = {text};\n{code}</script>"
    return html.replace("<title>Viser</title>", f"<title>facecom</title>{script}", 1)


def _response(status: http.HTTPStatus, body: bytes, headers: dict[str, str]) -> Any:
    response = need("websockets.http11", extra="viewer").Response
    structures = need("websockets.datastructures", extra="viewer")
    merged = {**HEADERS, **headers, "Content-Length": str(len(body))}
    return response(int(status), status.phrase, structures.Headers(**merged), body)
