"""Scans of strangers: read, and surfaced where they are points, in a child process."""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facecom.apps.isolation.process import MAX_SENTENCE_BYTES, MAX_WARNINGS, ProcessLimits, run_isolated
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.arrays import MOST_BYTES, read_npz
from facecom.io.conversion import mesh_and_warnings
from facecom.io.files import MAX_FILE_BYTES
from facecom.io.regular_files import regular_bytes
from facecom.scan.surface_reconstruction import surface_from_points

if TYPE_CHECKING:
    from facecom.completion import Progress

_log = logging.getLogger(__name__)
MESH_FILE, WARNINGS_FILE = "mesh.npz", "warnings.json"
MAX_WARNING_CHARACTERS = 1000
"""Of one warning, so that all of them fit into what is read."""
_PARTS = ("vertices", "faces", "uv", "colors", "normals")


def read_isolated(
    path: str | os.PathLike[str],
    *,
    limits: ProcessLimits | None = None,
    max_vertices: int | None = None,
    surface_seed: int = 0,
    progress: Progress | None = None,
) -> Mesh:
    """Read a scan as `as_mesh` does, and lay a surface through it where it is points, all in a child process.

    The scan is read alone: what it names beside itself is not opened. Warnings are logged.

    Parameters
    ----------
    path : scan file
    limits : ProcessLimits
    max_vertices : a scan with more of them is refused before it gets a surface
    surface_seed : of `surface_from_points`
    progress : called with "read" or "surface"; what it raises ends the child

    Returns
    -------
    Mesh
        In the file's own unit and frame, with faces, and with the colours of its vertices or its texture.

    Raises
    ------
    ScanError
        As of `as_mesh`; and when reading took too much time or memory, or ended the process.

    Examples
    --------
    >>> import tempfile
    >>> from facecom.io.files import write_mesh
    >>> path = Path(tempfile.mkdtemp()) / "triangle.ply"
    >>> write_mesh(path, Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]))
    >>> read_isolated(path).faces.tolist()
    [[0, 1, 2]]
    """
    source = Path(path)
    try:
        content = regular_bytes(source, most_bytes=MAX_FILE_BYTES)
    except OSError as error:
        raise ScanError(f"{source} cannot be read ({error.strerror}); name a scan file") from None
    mesh, said = read_isolated_bytes(
        content,
        name=str(source),
        limits=limits,
        max_vertices=max_vertices,
        surface_seed=surface_seed,
        progress=progress,
    )
    for text in said:
        _log.warning("%s: %s", source, text)
    return mesh


def read_isolated_bytes(
    content: bytes,
    *,
    name: str,
    limits: ProcessLimits | None = None,
    max_vertices: int | None = None,
    surface_seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Mesh, tuple[str, ...]]:
    """Read a scan file's content as `read_isolated` does; also what could not be read or was guessed, as sentences.

    Parameters
    ----------
    name : what sentences call the scan; its suffix chooses the reader, the rest of it reaches no file system
    """
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        inside = Path(folder) / f"scan{Path(name).suffix.lower()}"
        inside.write_bytes(content)
        options = {"name": inside.name, "max_vertices": max_vertices, "seed": surface_seed}
        try:
            run_isolated(_read, folder, what=f"reading {name}", limits=limits, progress=progress, options=options)
        except ScanError as error:
            raise ScanError(str(error).replace(str(inside), name)) from None
        said = load_warnings(Path(folder))
        return load_mesh(Path(folder)), tuple(text.replace(inside.name, Path(name).name) for text in said)


def _read(folder: Path, *, name: str, max_vertices: int | None, seed: int, progress: Progress) -> None:
    """In the child: read a scan of the folder, and write the mesh and the warnings beside it."""
    progress("read", 0.0)
    mesh, said = mesh_and_warnings(folder / name)
    if max_vertices is not None and len(mesh.vertices) > max_vertices:
        raise ScanError(
            f"{folder / name} has {len(mesh.vertices):,} vertices, more than the {max_vertices:,} allowed here; "
            "decimate it"
        )
    if not len(mesh.faces):
        progress("surface", 0.0)
        mesh = surface_from_points(mesh, seed=seed)
    save_mesh(folder, mesh)
    save_warnings(folder, said)


def save_mesh(folder: Path, mesh: Mesh) -> None:
    """Write a mesh into the folder of a child, for `load_mesh`."""
    arrays = {part: getattr(mesh, part) for part in _PARTS}
    save_arrays(folder / MESH_FILE, {part: array for part, array in arrays.items() if array is not None})


def load_mesh(folder: Path) -> Mesh:
    """The mesh in the folder of a child.

    Raises
    ------
    ScanError
        When there is none, or one that is damaged.
    """
    arrays = load_arrays(folder / MESH_FILE)
    try:
        return Mesh(**{part: arrays[part] for part in _PARTS if part in arrays})
    except (ValueError, TypeError) as error:
        raise ScanError(f"the mesh came back damaged ({error}); try again") from None


def save_warnings(folder: Path, warnings: Sequence[str]) -> None:
    """Write warnings into the folder of a child, for `load_warnings`: so many as are passed on."""
    kept = [text[:MAX_WARNING_CHARACTERS] for text in warnings[:MAX_WARNINGS]]
    (folder / WARNINGS_FILE).write_text(json.dumps(kept), encoding="utf-8")


def load_warnings(folder: Path) -> tuple[str, ...]:
    """The warnings in the folder of a child, a line each.

    Raises
    ------
    ScanError
        When there is no list of them, or a damaged one.
    """
    try:
        found = json.loads(regular_bytes(folder / WARNINGS_FILE, most_bytes=MAX_SENTENCE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ScanError(f"what was computed came back damaged ({type(error).__name__}); try again") from None
    if not isinstance(found, list):
        raise ScanError("what was computed came back without its warnings; try again")
    return tuple(" ".join(str(text).split()) for text in found[:MAX_WARNINGS])


def save_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write arrays by name, for `load_arrays`."""
    out = io.BytesIO()
    named: Any = arrays
    np.savez(out, **named)
    path.write_bytes(out.getbuffer())


def load_arrays(path: Path) -> dict[str, NDArray]:
    """The arrays that a child left; no pickles, and no more than its file holds.

    Raises
    ------
    ScanError
        When it left none, or damaged ones.
    """
    try:
        return read_npz(regular_bytes(path, most_bytes=MOST_BYTES))
    except (OSError, ValueError) as error:
        raise ScanError(f"what was computed came back damaged ({error}); try again") from None
