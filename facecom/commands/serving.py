"""`facecom serve`: serves the viewer until Ctrl-C."""

from __future__ import annotations

import argparse
import threading
from typing import Any

from facecom.commands.help import add_verb

DEFAULT_PORT = 8080


def add_serve(verbs: Any) -> None:
    """Add `facecom serve` to the command line."""
    verb = add_verb(
        verbs,
        "serve",
        run=serve,
        about="Serve a web page on which scans are uploaded, marked, completed and downloaded.",
        example="facecom serve --port 8080",
        files={},
    )
    verb.add_argument("--port", type=int, default=DEFAULT_PORT)
    verb.add_argument("--host", default="127.0.0.1", help="address to listen on; any but this machine's needs a token")
    verb.add_argument("--token", action="store_true", help="ask for a token on this machine's own address as well")
    verb.add_argument("--upload-mb", type=int, metavar="MB", help="largest size of an uploaded file")
    verb.add_argument("--vertices", type=int, help="largest number of vertices of a scan")
    verb.add_argument("--sessions", type=int, help="largest number of pages open at once")
    verb.add_argument("--keep-minutes", type=int, metavar="MINUTES", help="how long a session outlives its page")


def serve(options: argparse.Namespace) -> None:
    """Serve the viewer until Ctrl-C."""
    from facecom.apps.viewer import Limits, is_local, new_token, viewer

    given = {name: getattr(options, name) for name in ("upload_mb", "vertices", "sessions", "keep_minutes")}
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    token = new_token() if options.token else None
    try:
        with viewer(host=options.host, port=options.port, token=token, limits=limits) as running:
            lines = [f"open {running.address} in a browser; Ctrl-C ends it"]
            if not is_local(options.host):
                lines.append(
                    "what is sent is not encrypted: outside a network that you trust, use an SSH tunnel or a TLS proxy"
                )
            print("\n".join(lines), flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("ended")
