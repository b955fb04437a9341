"""Folders of results: whole or not there, of one run alone, and written by one run at a time.

A run writes into a hidden folder beside its results. At its end the results of the run before are moved out and the new
ones in, by renaming, so that old and new never stand side by side.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from facecom.commands.earlier_results import earlier_results
from facecom.errors import ScanError

PARTIAL, ASIDE, OLD_IS_OUT = ".partial-", ".before", ".out"
LAST = "report.json"
"""Is moved last: where it stands, all the others do."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""Errors of the disk that no file's name comes with."""


@contextmanager
def output_folder(out: Path, *, inputs: Sequence[Path | None] = ()) -> Iterator[Path]:
    """A hidden folder in `out` whose files become those of `out` when the block succeeds; else nothing is left.

    Parameters
    ----------
    out : is made where it is missing; what an earlier run wrote into it goes when the new results come
    inputs : paths that the run reads, which must not be among what goes

    Raises
    ------
    ScanError
        When the folder cannot be written, another run writes into it, or it holds the run's input as an old result.
    """
    created = [p for p in (out, *out.parents) if not p.exists()]
    partial = out / f"{PARTIAL}{os.getpid()}-{secrets.token_hex(4)}"
    lock, succeeded = -1, False
    try:
        with _told(out, partial):
            out.mkdir(parents=True, exist_ok=True)
            lock = _locked(out)
            _refuse_inputs(out, earlier_results(out), inputs)
            partial.mkdir()
            yield partial
            _replace(partial, out, inputs)
        succeeded = True
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in [] if succeeded else created:
            with suppress(OSError):
                folder.rmdir()  # only where it is empty
        if lock >= 0:
            os.close(lock)


@contextmanager
def _told(out: Path, partial: Path) -> Iterator[None]:
    """Errors of writing as one sentence that names the folder which the caller knows."""
    try:
        yield
    except ScanError as error:
        raise ScanError(str(error).replace(str(partial), str(out))) from None
    except OSError as error:
        names = (error.filename, error.filename2)
        if error.errno in NO_ROOM or any(str(name).startswith(str(out)) for name in names if name):
            raise ScanError(f"{out} cannot be written ({error.strerror}); choose another folder") from None
        raise


def _locked(out: Path) -> int:
    """A lock on the folder, which the system drops when the process ends; remains of dead runs are removed."""
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise ScanError(f"another run of facecom writes into {out}; wait for it or choose another folder") from None
    except OSError:  # a network disk without locks: nobody can tell whose the remains are
        return folder
    for remains in out.glob(f"{PARTIAL}*"):
        _end_swap(remains, out)
        shutil.rmtree(remains, ignore_errors=True)
    return folder


def _refuse_inputs(out: Path, going: set[str], inputs: Sequence[Path | None]) -> None:
    for path in inputs:
        if path is None:
            continue
        found = path.resolve()
        for name in sorted(going):
            result = (out / name).resolve()
            if found == result or result in found.parents:
                raise ScanError(
                    f"{path} is read by this run, which would replace {out / name} by results of its own; "
                    "choose another folder for the results"
                )


def _replace(partial: Path, out: Path, inputs: Sequence[Path | None]) -> None:
    """Move old results out and new ones in; where that fails, all is as it was."""
    new = sorted((p.name for p in partial.iterdir()), key=lambda name: (name == LAST, name))
    for name in new:
        there = out / name
        if there.is_file() and (partial / name).is_dir() or there.is_dir() and not (partial / name).is_dir():
            raise ScanError(f"{there} is in the way of a result of that name; move it or choose another folder")
    before = earlier_results(out) | {name for name in new if (out / name).exists()}
    _refuse_inputs(out, before, inputs)
    aside, undo = partial / ASIDE, []
    aside.mkdir()
    moves = [(out / name, aside / name) for name in sorted(before, key=lambda name: (name != LAST, name))]
    moves += [(partial / OLD_IS_OUT, aside / OLD_IS_OUT)]
    moves += [(partial / name, out / name) for name in new]
    (partial / OLD_IS_OUT).touch()
    try:
        for source, target in moves:
            undo.append((target, source))
            os.rename(source, target)
    except BaseException:
        for source, target in reversed(undo):
            with suppress(FileNotFoundError):
                os.rename(source, target)
        raise


def _end_swap(remains: Path, out: Path) -> None:
    """End what a kill broke off between the moves: old results come back where one was still there, else new ones in.

    The old ones are all out when the mark lies beside them.
    """
    aside = remains / ASIDE
    if not aside.is_dir():
        return
    if (aside / OLD_IS_OUT).exists():
        going = [path for path in remains.iterdir() if path != aside]
    else:
        going = list(aside.iterdir())
    for path in sorted(going, key=lambda path: (path.name == LAST, path.name)):
        if not (out / path.name).exists():
            os.rename(path, out / path.name)
