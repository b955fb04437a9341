"""Scans and results on disk: one reader and one writer for every format."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Mesh
from facecom.io import (
    archives,
    collada,
    e57,
    obj,
    pcd,
    ply,
    point_tables,
    scene_formats,
    text_formats,
    usd,
    vtk_legacy,
    vtk_xml,
    writers,
)
from facecom.io.file_textures import colors_of_several_textures, single_texture
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, fits_float32
from facecom.io.reading_warnings import collecting

_READERS: dict[str, Callable[[bytes, Path], ParsedMesh]] = {
    ".ply": lambda data, path: ply.read_ply(data),
    ".obj": lambda data, path: obj.read_obj(data, path.parent),
    ".stl": lambda data, path: text_formats.read_stl(data),
    ".off": lambda data, path: text_formats.read_off(data),
    ".glb": scene_formats.read_gltf,
    ".gltf": scene_formats.read_gltf,
    ".dae": lambda data, path: collada.read_dae(data),
    ".3mf": lambda data, path: archives.read_3mf(data),
    ".vtk": lambda data, path: vtk_legacy.read_vtk(data),
    ".vtp": lambda data, path: vtk_xml.read_vtp(data),
    ".pcd": lambda data, path: pcd.read_pcd(data),
    **dict.fromkeys(usd.SUFFIXES, usd.read_usd),
    ".e57": lambda data, path: e57.read_e57(data),
    **dict.fromkeys(point_tables.SUFFIXES, lambda data, path: point_tables.read_points(data)),
}
READABLE = tuple(_READERS)
"""Extensions that are read; every list of formats in the package is this one or a part of it."""
SINGLE_FILES = tuple(suffix for suffix in READABLE if suffix != ".gltf")
"""Those of which one file alone is a whole scan: a .gltf keeps its numbers in files beside it."""
CLOUDS = (".pcd", ".e57", *point_tables.SUFFIXES)
"""Those that hold points without triangles."""
_WRITERS: dict[str, Callable[[Mesh], bytes]] = {
    ".obj": writers.obj_bytes,
    ".stl": writers.stl_bytes,
    ".off": writers.off_bytes,
    ".glb": writers.glb_bytes,
}
WRITABLE = (".ply", *_WRITERS)
MAX_FILE_BYTES = 2**31
"""Size of a scan file at most."""
SHOWN_ERROR_CHARACTERS = 80
"""Characters of another library's error that a sentence quotes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ScanFile:
    """A scan as a file holds it.

    Parameters
    ----------
    mesh : Mesh, in the file's own unit, frame and vertex order; no faces where the file is a point cloud
    path : Path
    precision : "float32" where every coordinate is a float32 number, so that writing in float32 loses no bit
    corner_uv : (F, 3, 2) float or None
        Texture coordinates of each face corner, where vertices on a texture seam have more than one; `mesh.uv` then
        holds the first of each.
    texture : (H, W, 3) uint8 or None, the colour image that the file names or holds
    texture_path : Path or None, where the image is a file of its own
    attributes : further numbers of each vertex, (V,) by name
    warnings : what could not be read, or was guessed; sentences
    """

    mesh: Mesh
    path: Path
    precision: Literal["float32", "float64"]
    corner_uv: Floats | None = None
    texture: NDArray[np.uint8] | None = None
    texture_path: Path | None = None
    attributes: Mapping[str, NDArray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_scan(path: str | os.PathLike[str]) -> Mesh:
    """Read a mesh or a point cloud by the extension of its file: `READABLE` lists them.

    Returns
    -------
    Mesh
        In the file's own unit and frame. Vertices keep the file's order and number, but for STL, which stores none:
        there, corners at one position are one vertex. Polygons are split into triangles. Warnings are logged.

    Raises
    ------
    ScanError
        When there is no such file, it is empty, cut short or damaged, or holds no finite vertex.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "triangle.ply"
    >>> write_mesh(path, Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]))
    >>> read_scan(path).faces.tolist()
    [[0, 1, 2]]
    """
    found = read_scan_file(path)
    for text in found.warnings:
        log.warning("%s: %s", found.path, text)
    return found.mesh


def read_scan_file(path: str | os.PathLike[str]) -> ScanFile:
    """Read a scan with all that its file holds: see `read_scan` for formats and errors.

    What could not be read of it, such as a texture that is not there, is named in `ScanFile.warnings`.
    """
    where = Path(path)
    with collecting() as said:
        parsed, mesh = _parsed(where)
        texture, texture_path = single_texture(parsed, where)
    return ScanFile(
        mesh, where, "float32" if fits_float32(mesh.vertices) else "float64", corner_uv=parsed.corner_uv,
        texture=texture, texture_path=texture_path, attributes=parsed.attributes, warnings=tuple(said),
    )  # fmt: skip


def _parsed(where: Path) -> tuple[ParsedMesh, Mesh]:
    """The content of a file, and the mesh that it is; whatever is wrong with it is one sentence."""
    data = _bytes(where)
    try:
        with np.errstate(invalid="ignore", over="ignore"):  # NaN of any kind is left to cleaning
            parsed = _READERS[where.suffix.lower()](data, where)
            colors = parsed.colors if parsed.colors is not None else colors_of_several_textures(parsed, where)
            mesh = Mesh(parsed.vertices, parsed.faces, uv=parsed.uv, colors=colors, normals=parsed.normals)
    except FileFormatError as error:
        raise ScanError(f"{where} {error}") from None
    except MemoryError:
        raise ScanError(f"{where} needs more memory than there is; decimate the scan") from None
    except RecursionError:
        raise ScanError(f"{where} is nested too deeply; export it again") from None
    except (ValueError, LookupError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:SHOWN_ERROR_CHARACTERS]
        raise ScanError(f"{where} is damaged ({reason}); copy or export it again") from None
    if not len(mesh.vertices):
        raise ScanError(f"{where} holds no vertices; export the scan again")
    if not np.isfinite(mesh.vertices).all(axis=1).any():
        raise ScanError(f"{where} holds {len(mesh.vertices):,} vertices, none with finite coordinates; export it again")
    return parsed, mesh


def _bytes(where: Path) -> bytes:
    """The content of a scan file; what is none, or is empty, is an error that says so."""
    known = ", ".join(READABLE)
    if where.is_dir():
        raise ScanError(f"{where} is a folder; name a scan file in it ({known})")
    if not where.exists():
        raise ScanError(f"{where} does not exist; check the path")
    if where.suffix.lower() not in _READERS:
        raise ScanError(f"{where} has the unknown extension {where.suffix!r}; save the scan as one of {known}")
    try:
        status = where.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ScanError(f"{where} is a device or a pipe; name a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ScanError(f"{where} has {status.st_size:,} bytes, more than {MAX_FILE_BYTES:,}; decimate the scan")
        data = where.read_bytes()
    except OSError as error:
        raise ScanError(f"{where} cannot be read ({error.strerror}); check its permissions") from None
    if not data.strip():
        raise ScanError(f"{where} is empty; copy or export the scan again")
    return data


def write_mesh(
    path: str | os.PathLike[str],
    mesh: Mesh,
    *,
    attributes: Mapping[str, NDArray] | None = None,
    exact: bool = True,
    texture: str | None = None,
) -> None:
    """Write a mesh as PLY, OBJ, STL, OFF or GLB, by the extension; the same mesh gives the same bytes.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path : where to write
    mesh : Mesh
    attributes : further numbers of each vertex, (V,) by name; PLY alone
    exact : for PLY, keep every bit of the positions, in float32 where that is enough and float64 where not;
        with False, float32. STL and GLB store float32, OBJ and OFF always the full number.
    texture : name of a texture image in the same folder; PLY alone

    Raises
    ------
    ScanError
        When the folder cannot be written.
    ValueError
        On an unknown extension, or attributes that the format has no place for.
    """
    where = Path(path)
    extension = where.suffix.lower()
    if extension not in WRITABLE:
        raise ValueError(f"cannot write {where.name}: its extension must be one of {', '.join(WRITABLE)}")
    if (attributes or texture) and extension != ".ply":
        raise ValueError(f"cannot write {where.name}: {extension} has no place for attributes; write a .ply")
    if extension == ".ply":
        data = writers.ply_bytes(mesh, attributes=attributes, exact=exact, texture=texture)
    else:
        data = _WRITERS[extension](mesh)
    write_bytes(where, data)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it, so that none is ever half there.

    Raises
    ------
    ScanError
        When the folder does not exist or cannot be written.
    """
    where = Path(path)
    temporary = where.with_name(f".{where.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, where)
    except OSError as error:
        raise ScanError(f"{where} cannot be written ({error.strerror}); choose another folder") from None
    finally:
        temporary.unlink(missing_ok=True)
