"""Uploaded scans: the suffix of the name chooses the reader, the rest of it is only displayed."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from facecom.apps.isolation.reading import read_isolated_bytes
from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.http.messages import REFUSED
from facecom.completion import Progress
from facecom.errors import MissingDependency, ScanError
from facecom.geometry.mesh import Mesh
from facecom.io.files import SINGLE_FILES

log = logging.getLogger(__name__)

MAX_NAME_LENGTH = 60
"""Characters of a name that are displayed."""
REFUSALS = {
    "size": "is larger than a file may be here; make it smaller",
    "count": "is one of more uploads than a page may have; load the page again",
    "busy": "came while another file was being sent, and was not taken; upload it again when that one is there",
}
"""What is said of an upload that a `MessageFilter` refused."""


@dataclass(frozen=True, eq=False)
class UploadedScan:
    """An uploaded scan: its display name, its mesh in its own unit and frame, and what its reader has to say."""

    name: str
    mesh: Mesh
    warnings: tuple[str, ...] = ()


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


def check_upload(
    name: str, content: bytes, *, limits: Limits, what: str = "the scan", suffixes: Collection[str] = SINGLE_FILES
) -> str:
    """The display name of an upload that may be read.

    Parameters
    ----------
    what : what it should be, for sentences
    suffixes : of the formats that are read

    Raises
    ------
    ScanError
        When it was refused on its way, is empty, too large, or of an unknown format.
    """
    name, _, reason = name.partition(REFUSED)
    shown = clean_name(name)
    if reason in REFUSALS:
        raise ScanError(f"{shown} {REFUSALS[reason]}")
    if Path(shown).suffix.lower() not in suffixes:
        raise ScanError(f"{shown} is none of {', '.join(suffixes)}; save {what} as one of these")
    if not content:
        raise ScanError(f"{shown} is empty; copy or export {what} again")
    if len(content) > limits.upload_bytes:
        raise ScanError(f"{shown} is larger than {limits.upload_mb} MB; make it smaller")
    return shown


def read_upload(
    name: str, content: bytes, *, limits: Limits, progress: Progress | None = None, surface_seed: int = 0
) -> UploadedScan:
    """Read an uploaded scan in a process of its own, which lays a surface through it where it is points.

    While they are read the bytes lie in a temporary folder, under a name that does not come from the client.

    Parameters
    ----------
    progress : called while it is read; what it raises ends the process

    Raises
    ------
    ScanError
        As of `check_upload`; and when it is unreadable, has too many vertices, or takes too much time or memory.
    """
    shown = check_upload(name, content, limits=limits)
    try:
        mesh, said = read_isolated_bytes(
            content,
            name=shown,
            limits=limits.reading,
            max_vertices=limits.vertices,
            surface_seed=surface_seed,
            progress=progress,
        )
    except MissingDependency as error:
        log.warning("an upload could not be read: %s", error)
        raise ScanError(f"{shown} is of a format that this server cannot read; save it as .glb or .ply") from None
    return UploadedScan(shown, mesh, said)
