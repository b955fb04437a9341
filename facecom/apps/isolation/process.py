"""The parent's side: a child process is started, followed within its bounds, and ended."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from facecom import errors
from facecom.errors import FacecomError, ScanError
from facecom.io.regular_files import regular_bytes

if TYPE_CHECKING:
    from facecom.completion import Progress

_log = logging.getLogger(__name__)
CHILD_MODULE = "facecom.apps.isolation.child"
ERROR_FILE, OUTPUT_FILE = "error.json", "stderr.txt"
"""What a child leaves beside its results: the sentence with which it refused, and what it printed."""
REFUSED, OUT_OF_MEMORY = 3, 12
"""Exit statuses of a child that left a sentence, and of one whose memory was used up."""
POLL_S = 0.1
"""How often progress is told, so that the caller can stop the work."""
MAX_LINE_BYTES, MAX_SENTENCE_BYTES, MAX_LOGGED_BYTES = 4096, 65_536, 4096
"""Of one line of a child's report, of the sentence that it leaves, and of what it printed that goes to the log."""
READING_ADVICE = "save the scan in another format, such as binary PLY, or decimate it"
"""What helps where a scan could not be read within the bounds."""
MAX_WARNINGS = 20
"""Warnings of a child that are passed on to the log."""


@dataclass(frozen=True)
class ProcessLimits:
    """Bounds of a child process.

    Parameters
    ----------
    seconds : from its start to its end
    memory_mb : of its own memory, in units of 1e6 bytes; libraries take about 350 of them
    file_mb : size of one file that it writes, in units of 1e6 bytes

    Raises
    ------
    ValueError
        When one of them is not above 0.

    Examples
    --------
    >>> ProcessLimits(seconds=5).memory_mb
    3000
    """

    seconds: float = 120.0
    memory_mb: int = 3000
    file_mb: int = 2000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")


class _OvertimeError(Exception):
    """The child's time is over."""


def run_isolated(
    task: Callable[..., None],
    folder: str | os.PathLike[str],
    *,
    what: str,
    limits: ProcessLimits | None = None,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
    advice: str = READING_ADVICE,
) -> None:
    """Call a function in a child process of its own, which reads its input from a folder and leaves its results there.

    What the child leaves is as untrusted as what it read: check it.

    Parameters
    ----------
    task : function of a module, called as ``task(folder, progress=..., **options)``
    folder : an existing folder
    what : begins the sentences, such as "reading nose.ply"
    limits : ProcessLimits
    progress : called with the stage that the task is in and the share of the work before it, again and again while it
        works; what it raises ends the child
    options : what JSON can hold
    advice : ends the sentence about a child that was killed, or stopped because its time was over

    Raises
    ------
    FacecomError, ValueError
        What the task raised.
    ScanError
        When the child took too much time or memory, or was killed.
    RuntimeError
        When the task has a bug; what it printed is in the log.
    """
    where, limits = Path(folder), limits or ProcessLimits()
    name = f"{task.__module__}:{task.__qualname__}"
    try:
        with _child(name, where, limits, options or {}) as process:
            _follow(process, time.monotonic() + limits.seconds, progress)
            status = process.wait()
    except _OvertimeError:
        raise ScanError(f"{what} took more than {limits.seconds:g} s and was stopped; {advice}") from None
    if status:
        raise _error(status, where, what, limits=limits, advice=advice)


@contextlib.contextmanager
def _child(
    task: str, folder: Path, limits: ProcessLimits, options: Mapping[str, Any]
) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own, which is killed where the block is left before it has ended."""
    own = json.dumps({"memory_mb": limits.memory_mb, "file_mb": limits.file_mb, "seconds": limits.seconds})
    command = [sys.executable, "-m", CHILD_MODULE, task, str(folder), own, json.dumps(dict(options))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with open(folder / OUTPUT_FILE, "wb") as printed:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=printed,
            env=environment,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _follow(process: subprocess.Popen[bytes], deadline: float, progress: Progress | None) -> None:
    """Pass on what a child reports until it closes its report or its time is over."""
    stage: tuple[str, float] = ("start", 0.0)
    line, warnings = b"", 0
    output = cast("IO[bytes]", process.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if progress is not None:
                progress(*stage)
            if time.monotonic() > deadline:
                raise _OvertimeError
            if not selector.select(POLL_S):
                continue
            data = os.read(output.fileno(), MAX_LINE_BYTES)
            if not data:
                break
            *lines, line = (line + data).split(b"\n")
            line = line[-MAX_LINE_BYTES:]
            for report in map(_parsed, lines):
                stage = report if isinstance(report, tuple) else stage
                if isinstance(report, str) and (warnings := warnings + 1) <= MAX_WARNINGS:
                    _log.warning("%s", report)
    try:
        process.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        raise _OvertimeError from None


def _parsed(line: bytes) -> tuple[str, float] | str | None:
    """A line of a child's report: a stage with its share, the text of a warning, or None for neither."""
    try:
        report = json.loads(line)
        if "warning" in report:
            return str(report["warning"])
        share = float(report["share"])
        return str(report["stage"]), share if 0.0 <= share <= 1.0 else 0.0
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _error(status: int, folder: Path, what: str, *, limits: ProcessLimits, advice: str) -> Exception:
    """What the end of a child means to the caller."""
    if status == REFUSED:
        return _sentence(folder) or ScanError(f"{what} failed without a reason; save the scan in another format")
    if status == OUT_OF_MEMORY:
        return ScanError(f"{what} took more than {limits.memory_mb:,} MB of memory; decimate the scan")
    if status < 0:
        reason = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        return ScanError(f"{what} ended the process that did it ({reason}); {advice}")
    with contextlib.suppress(OSError):
        printed = (folder / OUTPUT_FILE).read_bytes()[-MAX_LOGGED_BYTES:]
        _log.error("%s failed with status %d: %s", what, status, printed.decode(errors="replace"))
    return RuntimeError(f"{what} failed with status {status}; the log has what was printed")


def _sentence(folder: Path) -> Exception | None:
    """The error that a child left, of a kind that callers know."""
    try:
        left = json.loads(regular_bytes(folder / ERROR_FILE, most_bytes=MAX_SENTENCE_BYTES))
        kind, text = str(left["kind"]), " ".join(str(left["text"]).split())
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, FacecomError):
        return known(text)
    return ValueError(text)
