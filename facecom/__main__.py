"""The command line: `facecom complete SCAN --out DIR` and the other verbs.

Exit status: 0 done; 2 wrong use or unreadable input; 3 not a face, or too little of one; 4 some of several scans
failed; 5 a part breaks a bound of its check; 1 a bug; 130 Ctrl-C; 143 ended from outside (SIGTERM).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from facecom.commands.exit_status import BUG, DONE, INTERRUPTED, NO_FACE, TERMINATED, WRONG_USE
from facecom.commands.options import parser
from facecom.errors import AlignmentError, CheckpointError, FacecomError, FitError, MissingDependency, ScanError

ENDINGS = {
    signal.SIGINT: ("stopped; nothing was written", INTERRUPTED),
    signal.SIGTERM: ("ended from outside; nothing was written", TERMINATED),
}


class _Ended(KeyboardInterrupt):
    """A signal of `ENDINGS`, so that what cleans up after Ctrl-C cleans up after each.

    A class of its own: the interpreter ends itself by the signal, whatever the exit status, once a plain
    KeyboardInterrupt has passed through code that is made from text, as dataclasses are.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    received: list[int] = []
    try:
        with _signals_raised(received):
            status: int | None = options.run(options)
    except BaseException as error:
        # First, since imports turn the exception of a signal into errors of their own.
        if received:
            return _print_error(*ENDINGS[signal.Signals(received[0])])
        if isinstance(error, KeyboardInterrupt):
            return _print_error(*ENDINGS[signal.SIGINT])
        return _print_error(error, _status_of(error))
    return DONE if status is None else status


def _status_of(error: BaseException) -> int:
    """The exit status of an error that a user can mend or should report; others are raised again."""
    if isinstance(error, (AlignmentError, FitError)):
        return NO_FACE
    if isinstance(error, (ScanError, CheckpointError, MissingDependency, ValueError, OSError)):
        return WRONG_USE
    if isinstance(error, FacecomError):
        return BUG
    raise error


@contextmanager
def _signals_raised(received: list[int]) -> Iterator[None]:
    """Raise `_Ended` where a signal comes that the caller does not ignore, and note it."""

    def end(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise _Ended

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_error(error: BaseException | str, status: int) -> int:
    text = " ".join(str(error).split())
    print(f"facecom: {text}", file=sys.stderr)
    return status


def run() -> NoReturn:
    """Run one command and end the process with its exit status."""
    status = main()
    if status in (INTERRUPTED, TERMINATED):
        # What a C++ library was doing stays half done; as the interpreter ends, it would set a status of its own.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
