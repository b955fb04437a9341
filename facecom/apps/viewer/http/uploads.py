"""Uploaded scans: the suffix of the name chooses the reader, the rest of it is only displayed."""

from __future__ import annotations

import logging
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from facecom.apps.viewer.http.limits import Limits
from facecom.errors import MissingDependency, ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import SINGLE_FILES, read_scan

log = logging.getLogger(__name__)

MAX_NAME_LENGTH, PCD_HEADER_BYTES = 60, 4096
"""Characters of a name that are displayed, and bytes in which a PCD file states its encoding."""


@dataclass(frozen=True, eq=False)
class UploadedScan:
    """An uploaded scan: its display name and its mesh, in its own unit and frame."""

    name: str
    mesh: Mesh


def clean_name(name: str) -> str:
    """The display name of a file: letters, digits, dots, dashes and underscores of its last part, 60 at most.

    Examples
    --------
    >>> clean_name("../../etc/my scan<b>.PLY")
    'my_scan_b_.PLY'
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", last)[-MAX_NAME_LENGTH:].lstrip("._-")
    return plain or "scan"


def read_upload(name: str, content: bytes, *, limits: Limits) -> UploadedScan:
    """Read an uploaded scan.

    While they are read the bytes lie in a temporary folder, under a name that does not come from the client.

    Raises
    ------
    ScanError
        When it is empty, too large, of an unknown format, unreadable, or has too many vertices.
    """
    shown = clean_name(name)
    suffix = Path(shown).suffix.lower()
    if suffix not in SINGLE_FILES:
        raise ScanError(f"{shown} is none of {', '.join(SINGLE_FILES)}; save the scan as one of these")
    if not content or len(content) > limits.upload_bytes:
        raise ScanError(
            f"{shown} is empty, larger than {limits.upload_mb} MB, or one of more than {limits.uploads} uploads; "
            "make it smaller, or load the page again"
        )
    if suffix == ".pcd" and b"binary_compressed" in content[:PCD_HEADER_BYTES]:
        raise ScanError(f"{shown} is compressed, and might hold any amount of data; save it as a binary PCD")
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        path = Path(folder) / f"scan{suffix}"
        path.write_bytes(content)
        try:
            mesh = read_scan(path)
        except ScanError as error:
            raise ScanError(str(error).replace(str(path), shown)) from None
        except MissingDependency as error:
            log.warning("an upload could not be read: %s", error)
            raise ScanError(f"{shown} is of a format that this server cannot read; save it as .glb or .ply") from None
    if len(mesh.vertices) > limits.vertices:
        raise ScanError(
            f"{shown} has {len(mesh.vertices):,} vertices, more than the {limits.vertices:,} allowed here; decimate it"
        )
    return UploadedScan(shown, mesh)
