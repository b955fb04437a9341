"""Uploads: by content and name; the name only says which format it is and what to call it on the page."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from facecom.apps.viewer.http.limits import Limits
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan

SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb", ".pcd", ".xyz")
"""One file each: glTF with its parts beside it is left out."""


@dataclass(frozen=True, eq=False)
class Uploaded:
    """A scan that was uploaded: a name to show and the mesh, in its own unit and frame."""

    name: str
    mesh: Mesh


def clean_name(name: str) -> str:
    """What may be shown of a file's name: letters, digits, dots, dashes and underscores of its last part, 60 at most.

    Examples
    --------
    >>> clean_name("../../etc/my scan<b>.PLY")
    'my_scan_b_.PLY'
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", last)[-60:].lstrip("._-")
    return plain or "scan"


def read_upload(name: str, content: bytes, *, limits: Limits) -> Uploaded:
    """Read an uploaded scan.

    The bytes lie in a folder of their own under a name of ours while they are read, and nothing of it stays.

    Raises
    ------
    ScanError
        When it is empty, too large, of no known format, unreadable, or has too many vertices.
    """
    shown = clean_name(name)
    suffix = Path(shown).suffix.lower()
    if suffix not in SUFFIXES:
        raise ScanError(f"{shown} is none of {', '.join(SUFFIXES)}; save the scan as one of these")
    if not content or len(content) > limits.upload_bytes:
        raise ScanError(
            f"{shown} is empty, larger than {limits.upload_mb} MB, or one of more than {limits.uploads} uploads; "
            "make it smaller, or load the page again"
        )
    if suffix == ".pcd" and b"binary_compressed" in content[:4096]:
        raise ScanError(f"{shown} is compressed, and might hold any amount of data; save it as a binary PCD")
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        path = Path(folder) / f"scan{suffix}"
        path.write_bytes(content)
        try:
            mesh = read_scan(path)
        except ScanError as error:
            raise ScanError(str(error).replace(str(path), shown)) from None
    if len(mesh.vertices) > limits.vertices:
        raise ScanError(
            f"{shown} has {len(mesh.vertices):,} vertices, more than the {limits.vertices:,} allowed here; decimate it"
        )
    return Uploaded(shown, mesh)
