"""How a template is stored: template.npz with the arrays, template.json with names, version and hash."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facecom.errors import CheckpointError

FORMAT = "facecom-template"
VERSION = 1
ARRAYS = "template.npz"
DESCRIPTION = "template.json"


def write_files(folder: Path, arrays: Mapping[str, np.ndarray], description: Mapping[str, Any]) -> None:
    """Write both files; the description gains format, version and the hash of the arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    data = npz_bytes(arrays)
    head = {"format": FORMAT, "version": VERSION}
    whole = {**head, **description, "sha256": hashlib.sha256(data).hexdigest()}
    (folder / ARRAYS).write_bytes(data)
    (folder / DESCRIPTION).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def read_files(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read both files back, checked.

    Raises
    ------
    CheckpointError
        When a file is missing, damaged, of another version or of another kind; names the file and the reason.
    """
    description = _read_description(folder / DESCRIPTION)
    path = folder / ARRAYS
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: the template's arrays cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != description.get("sha256"):
        raise CheckpointError(f"{path}: damaged or truncated, its hash is not the one in {DESCRIPTION}")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays), description
    except (ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not an npz file of arrays ({error})") from error


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An npz file as bytes with fixed time stamps, so that equal arrays give equal files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data.getvalue())
    return out.getvalue()


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: the template's description cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged, it is not JSON ({error})") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not the description of a facecom template")
    if description.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: version {description.get('version')!r} cannot be read, this facecom reads version {VERSION}"
        )
    return description
