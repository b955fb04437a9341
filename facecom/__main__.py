"""The command line: `facecom complete SCAN --out DIR` and the other verbs.

Exit status: 0 done; 2 wrong use or unreadable input; 3 not a face, or too little of one; 4 some of several scans
failed; 5 a part breaks a bound of its check; 1 a bug; 130 Ctrl-C; 143 ended from outside (SIGTERM).
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from facecom.commands.exit_status import BUG, DONE, INTERRUPTED, NO_FACE, TERMINATED, WRONG_USE
from facecom.commands.options import parser
from facecom.errors import AlignmentError, CheckpointError, FacecomError, FitError, MissingDependency, ScanError


class _Terminated(KeyboardInterrupt):
    """SIGTERM, so that what cleans up after Ctrl-C cleans up after it too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        with _sigterm_as_interrupt():
            status: int | None = options.run(options)
    except (AlignmentError, FitError) as error:
        return _print_error(error, NO_FACE)
    except (ScanError, CheckpointError, MissingDependency, ValueError, OSError) as error:
        return _print_error(error, WRONG_USE)
    except FacecomError as error:
        return _print_error(error, BUG)
    except _Terminated:
        return _print_error("ended from outside; nothing was written", TERMINATED)
    except KeyboardInterrupt:
        return _print_error("stopped; nothing was written", INTERRUPTED)
    return DONE if status is None else status


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_error(error: Exception | str, status: int) -> int:
    text = " ".join(str(error).split())
    print(f"facecom: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
