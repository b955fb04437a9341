"""USD scenes (.usd, .usda, .usdc, .usdz), read by USD's own library in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.errors import need
from facecom.io.arrays import read_npz
from facecom.io.parsed_mesh import FileFormatError, ParsedMesh
from facecom.io.regular_files import regular_bytes
from facecom.io.texture_images import MAX_TEXTURE_PIXELS, image_array
from facecom.io.usd_stage import MAX_RESULT_BYTES, MAX_SECONDS, REFUSED

SUFFIXES = (".usd", ".usda", ".usdc", ".usdz")
SECONDS_BEYOND = 240.0
"""How much longer than its processor time the process may take, on a machine that is busy."""
MAX_IMAGE_BYTES = 1 << 28
"""Size of an image in a package at most."""
_CHILD = "facecom.io.usd_stage"


def read_usd(data: bytes, path: Path) -> ParsedMesh:
    """Read a USD scene: all visible meshes and points in their places, with the images of a package.

    Parameters
    ----------
    data : the file, for the images of a package
    path : where it lies; USD reads it there itself

    Raises
    ------
    FileFormatError
        When it is no scene, is put together from files outside its folder, or takes more time or memory than is given.
    MissingDependency
        When USD's library is not installed.
    """
    if find_spec("pxr") is None:
        need("pxr", extra="formats")
    with tempfile.TemporaryDirectory(prefix="facecom-") as folder:
        result = Path(folder) / "mesh.npz"
        status = _run(path, result)
        if status == REFUSED:
            raise FileFormatError(result.with_suffix(".txt").read_text(encoding="utf-8"))
        if status != 0:
            raise FileFormatError(f"ends USD's library, which reads it ({_reason(status)}); export it as .glb")
        arrays = read_npz(regular_bytes(result, most_bytes=MAX_RESULT_BYTES))
    names = arrays.pop("textures").tolist()
    places: Any = arrays
    return ParsedMesh(**places, textures=tuple(_texture(name, data) for name in names))


def _run(path: Path, result: Path) -> int | None:
    """Exit status of the process that reads the scene; None where it took too long."""
    command = [sys.executable, "-m", _CHILD, str(path.resolve()), str(result)]
    environment = {**os.environ, "PXR_WORK_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(
            command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment, check=False,
            timeout=MAX_SECONDS + SECONDS_BEYOND,
        ).returncode  # fmt: skip
    except subprocess.TimeoutExpired:
        return None


def _reason(status: int | None) -> str:
    if status is None:
        return f"it took longer than {MAX_SECONDS + SECONDS_BEYOND:.0f} s"
    return f"signal {-status}" if status < 0 else f"status {status}"


def _texture(name: str, data: bytes) -> str | NDArray[np.uint8]:
    """An image of a package, whose name stands in brackets; else the name of a file beside the scene."""
    package, bracket, inner = name.partition("[")
    if not bracket:
        return package
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(inner.rstrip("]")) as member:
            content = member.read(MAX_IMAGE_BYTES)
    except Exception:  # a name that is not there, a damaged archive: zipfile has no one family
        return inner.rstrip("]")
    found = image_array(io.BytesIO(content), name=inner.rstrip("]"), pixels=MAX_TEXTURE_PIXELS)
    return inner.rstrip("]") if found is None else found
