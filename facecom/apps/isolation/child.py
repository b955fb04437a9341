"""The child's side, ``python -m facecom.apps.isolation.child``: it bounds itself, calls the task and reports."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import resource
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from facecom.apps.isolation.process import ERROR_FILE, OUT_OF_MEMORY, REFUSED
from facecom.errors import FacecomError

NICENESS = 5
"""The work of a child gives way to the server that answers others."""
OOM_SCORE = 500
"""Where the machine runs out of memory, a child goes before the server."""
PR_SET_PDEATHSIG = 1
"""Of prctl (Linux): the signal that a process gets when its parent ends."""
MEGABYTE = 1_000_000


def bound_this_process(limits: dict[str, float]) -> None:
    """Bound the memory, the time and the files of this process, which ends with its parent and leaves no core dump."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # a system without it, or one that does not let it be set
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    seconds = int(limits["seconds"]) + 1
    bounds = {
        # what is its own and writable; libraries mapped from files and reserved addresses do not count
        resource.RLIMIT_DATA: int(limits["memory_mb"]) * MEGABYTE,
        resource.RLIMIT_FSIZE: int(limits["file_mb"]) * MEGABYTE,
        # a thread of each core may use up a second of it in a second: the parent's clock comes first
        resource.RLIMIT_CPU: seconds * (os.cpu_count() or 1),
        resource.RLIMIT_CORE: 0,
    }
    for which, most in bounds.items():
        hard = resource.getrlimit(which)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (bound, bound))


class _WarningsToParent(logging.Handler):
    """Hands warnings to the parent, which has the log."""

    def __init__(self, report: IO[str]) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        print(json.dumps({"warning": record.getMessage()}), file=self._report, flush=True)


def main(task: str, folder: str, limits: str, options: str) -> int:
    """Call a task, ``module:function``; the exit status."""
    bound_this_process(json.loads(limits))
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no report
    logging.getLogger("facecom").addHandler(_WarningsToParent(report))

    def progress(stage: str, share: float) -> None:
        print(json.dumps({"stage": stage, "share": float(share)}), file=report, flush=True)

    module, _, name = task.partition(":")
    try:
        call: Any = getattr(import_module(module), name)
        call(Path(folder), progress=progress, **json.loads(options))
    except MemoryError:
        return OUT_OF_MEMORY
    except (FacecomError, ValueError) as error:
        left = {"kind": type(error).__name__, "text": str(error)}
        (Path(folder) / ERROR_FILE).write_text(json.dumps(left), encoding="utf-8")
        return REFUSED
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    code = main(*sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # threads of libraries are not waited for
