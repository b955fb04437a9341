"""Scans and results on disk: one reader and one writer for every format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facecom.errors import ScanError
from facecom.geometry.mesh import Floats, Mesh
from facecom.io import ply, scene_formats, text_formats, writers
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh, fits_float32, sibling_file

_READERS: dict[str, Callable[[bytes, Path], ParsedMesh]] = {
    ".ply": lambda data, path: ply.read_ply(data),
    ".obj": lambda data, path: text_formats.read_obj(data, path.parent),
    ".stl": lambda data, path: text_formats.read_stl(data),
    ".off": lambda data, path: text_formats.read_off(data),
    ".glb": scene_formats.read_gltf,
    ".gltf": scene_formats.read_gltf,
    ".pcd": lambda data, path: scene_formats.read_pcd(data),
    ".xyz": lambda data, path: text_formats.read_xyz(data),
}
READABLE = tuple(_READERS)
_WRITERS: dict[str, Callable[[Mesh], bytes]] = {
    ".obj": writers.obj_bytes,
    ".stl": writers.stl_bytes,
    ".off": writers.off_bytes,
    ".glb": writers.glb_bytes,
}
WRITABLE = (".ply", *_WRITERS)


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
    """

    mesh: Mesh
    path: Path
    precision: Literal["float32", "float64"]
    corner_uv: Floats | None = None
    texture: NDArray[np.uint8] | None = None
    texture_path: Path | None = None
    attributes: Mapping[str, NDArray] = field(default_factory=dict)


def read_scan(path: str | os.PathLike[str]) -> Mesh:
    """Read a mesh or a point cloud: PLY, OBJ, STL, OFF, GLB, glTF, PCD or XYZ, by its extension.

    Returns
    -------
    Mesh
        In the file's own unit and frame. Vertices keep the file's order and number, but for STL, which stores none:
        there, corners at one position are one vertex. Polygons are split into triangles.

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
    return read_scan_file(path).mesh


def read_scan_file(path: str | os.PathLike[str]) -> ScanFile:
    """Read a scan with all that its file holds: see `read_scan` for formats and errors."""
    where = Path(path)
    data = _bytes(where)
    try:
        with np.errstate(invalid="ignore", over="ignore"):  # NaN of any kind is left to cleaning
            parsed = _READERS[where.suffix.lower()](data, where)
            mesh = Mesh(parsed.vertices, parsed.faces, uv=parsed.uv, colors=parsed.colors, normals=parsed.normals)
    except FileFormatError as error:
        raise ScanError(f"{where} {error}") from None
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        raise ScanError(f"{where} is damaged ({error}); copy or export it again") from None
    if not len(mesh.vertices):
        raise ScanError(f"{where} holds no vertices; export the scan again")
    if not np.isfinite(mesh.vertices).all(axis=1).any():
        raise ScanError(f"{where} holds {len(mesh.vertices):,} vertices, none with finite coordinates; export it again")
    texture, texture_path = _texture(parsed, where)
    return ScanFile(
        mesh, where, "float32" if fits_float32(mesh.vertices) else "float64", corner_uv=parsed.corner_uv,
        texture=texture, texture_path=texture_path, attributes=parsed.attributes,
    )  # fmt: skip


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
        data = where.read_bytes()
    except OSError as error:
        raise ScanError(f"{where} cannot be read ({error.strerror}); check its permissions") from None
    if not data.strip():
        raise ScanError(f"{where} is empty; copy or export the scan again")
    return data


def _texture(parsed: ParsedMesh, where: Path) -> tuple[NDArray[np.uint8] | None, Path | None]:
    """The image and its file; a missing or broken image leaves the scan usable."""
    if isinstance(parsed.texture, np.ndarray):
        return parsed.texture, None
    found = sibling_file(where.parent, parsed.texture) if parsed.texture else None
    if found is None:
        return None, None
    from PIL import Image

    try:
        with Image.open(found) as image:
            return np.asarray(image.convert("RGB"), np.uint8), found
    except (OSError, ValueError, Image.DecompressionBombError):
        return None, found


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
