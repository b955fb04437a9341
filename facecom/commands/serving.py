"""The verb that serves the viewer until it is ended."""

from __future__ import annotations

import argparse
import threading
from typing import Any


def serve_verb(verbs: Any) -> None:
    """Add `facecom serve` to the command line."""
    about = "Serve a web page on which scans are completed: see them, mark what is missing, look at the layers."
    verb = verbs.add_parser("serve", help="complete scans on a web page", description=about)
    verb.add_argument("--port", type=int, default=8080)
    verb.add_argument("--host", default="127.0.0.1", help="address to listen on; any but this machine's needs a token")
    verb.add_argument("--token", action="store_true", help="ask for a token on this machine's own address as well")
    verb.add_argument("--upload-mb", type=int, metavar="MB", help="size of an uploaded file at most")
    verb.add_argument("--vertices", type=int, help="vertices of a scan at most")
    verb.add_argument("--sessions", type=int, help="pages open at once")
    verb.add_argument("--keep-minutes", type=int, metavar="MINUTES", help="how long a session waits for its page")
    verb.set_defaults(run=serve)


def serve(options: argparse.Namespace) -> None:
    """Serve the viewer until Ctrl-C."""
    from facecom.apps.viewer import Limits, is_local, new_token, viewer

    given = {name: getattr(options, name) for name in ("upload_mb", "vertices", "sessions", "keep_minutes")}
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    token = new_token() if options.token else None
    try:
        with viewer(host=options.host, port=options.port, token=token, limits=limits) as running:
            said = [f"open {running.address} in a browser; Ctrl-C ends it"]
            if not is_local(options.host):
                said.append(
                    "what is sent is not encrypted: outside a network that you trust, use an SSH tunnel or a TLS proxy"
                )
            print("\n".join(said), flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("ended")
