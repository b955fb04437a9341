"""Folders of results: whole or not there, of one run alone, and written by one run at a time.

A run writes into a hidden folder beside its results. At its end the results of the run before are moved out and the new
ones in, by renaming, so that old and new never stand side by side. A hidden list names what facecom wrote, and that
alone is ever removed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from facecom.errors import ScanError

WRITTEN = ".facecom.json"
"""The list of the files that facecom wrote into a folder."""
PARTIAL, ASIDE = ".partial-", ".before"
MOST_LIST_BYTES = 10_000_000
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
            _refuse_inputs(out, _written(out), inputs)
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
        shutil.rmtree(remains, ignore_errors=True)
    return folder


def _written(out: Path) -> set[str]:
    """Names that an earlier run wrote into a folder, as far as they are names of its own entries."""
    try:
        with open(out / WRITTEN, "rb") as file:
            names = json.loads(file.read(MOST_LIST_BYTES))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {n for n in names if isinstance(n, str) and n == Path(n).name and not n.startswith(".")}


def _refuse_inputs(out: Path, going: set[str], inputs: Sequence[Path | None]) -> None:
    for path in inputs:
        found = None if path is None else path.resolve()
        for name in sorted(going) if found else []:
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
    before = _written(out)
    _refuse_inputs(out, before | set(new), inputs)
    _write_list(partial, out, before | set(new))
    aside, undo = partial / ASIDE, []
    aside.mkdir()
    moves = [(out / name, aside / name) for name in sorted(before | set(new), key=lambda name: (name != LAST, name))]
    moves += [(partial / name, out / name) for name in new]
    try:
        for source, target in moves:
            if source.exists() or source.is_symlink():
                undo.append((target, source))
                os.rename(source, target)
    except BaseException:
        for source, target in reversed(undo):
            with suppress(OSError):
                os.rename(source, target)
        _write_list(partial, out, before)
        raise
    _write_list(partial, out, set(new))


def _write_list(partial: Path, out: Path, names: set[str]) -> None:
    if not names:
        (out / WRITTEN).unlink(missing_ok=True)
        return
    text = json.dumps({"about": "what facecom wrote here; its next run replaces it", "files": sorted(names)}, indent=1)
    (partial / WRITTEN).write_text(text + "\n", encoding="utf-8")
    os.replace(partial / WRITTEN, out / WRITTEN)
