"""Files of a model: a description in JSON with format, version and hash, and one file of arrays; read back checked."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from facecom.errors import CheckpointError
from facecom.io.arrays import read_npz
from facecom.io.regular_files import regular_bytes

WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
MOST_FILE_BYTES, MOST_TEXT_BYTES = 1 << 31, 1 << 26
"""Of a file of arrays, and of its description."""
MOST_REASON_LETTERS = 300
"""Of another library's reason in a message."""
MOST_WIDTH = 4096
"""Of a layer or a code: no published face model comes near."""
INT16_MAX = 32767.0
"""Largest number of 16 bits, which the largest entry of a stored row becomes."""


@dataclass(frozen=True)
class StorageFormat:
    """What sort of model a folder holds.

    arrays : name of the file of arrays; .npz is compressed, .safetensors is not
    """

    format: str
    version: int
    arrays: str = WEIGHTS
    description: str = DESCRIPTION


def write_stored(
    folder: str | Path, arrays: Mapping[str, np.ndarray], text: Mapping[str, Any], *, kind: StorageFormat
) -> None:
    """Write both files; the description gains format, version and the hash of the arrays.

    Equal contents give equal bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = npz_bytes(arrays) if kind.arrays.endswith(".npz") else _safetensors_bytes(arrays)
    head = {"format": kind.format, "version": kind.version, "sha256": hashlib.sha256(data).hexdigest()}
    (folder / kind.arrays).write_bytes(data)
    whole = json.dumps({**text, **head}, indent=1, sort_keys=True)
    (folder / kind.description).write_text(whole + "\n", encoding="utf-8")


def read_stored(folder: str | Path, *, kind: StorageFormat) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and description of a folder, checked.

    Raises
    ------
    CheckpointError
        When a file is missing, damaged, of another version or of another kind; names the file and the reason.
    """
    path = Path(folder) / kind.arrays
    text = read_description(Path(folder) / kind.description, kind=kind)
    try:
        data = regular_bytes(path, most_bytes=MOST_FILE_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != text.get("sha256"):
        raise CheckpointError(f"{path}: damaged or truncated, its hash is not the one in {kind.description}")
    return _arrays(path, data), text


@contextmanager
def checkpoint_errors(folder: str | Path, *, kind: StorageFormat) -> Iterator[None]:
    """Context in which a model is made from arrays and description that `read_stored` gave.

    Raises
    ------
    CheckpointError
        Instead of whatever an array that is missing or of another shape raised.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        reason = " ".join(str(error).split())[:MOST_REASON_LETTERS] or type(error).__name__
        raise CheckpointError(f"{Path(folder) / kind.arrays}: does not fit its description ({reason})") from error


def read_description(path: Path, *, kind: StorageFormat) -> dict[str, Any]:
    """The description of a model of one kind.

    Raises
    ------
    CheckpointError
        When it is missing, damaged, of another version or of another kind.
    """
    text = read_json(path)
    found, version = text.get("format"), text.get("version")
    if found != kind.format:
        raise CheckpointError(f"{path}: its format is {found!r}, not {kind.format!r}")
    if version != kind.version:
        raise CheckpointError(
            f"{path}: version {version!r} cannot be read, this facecom reads version {kind.version}; "
            "make the model again, or take the facecom that wrote it"
        )
    return text


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    CheckpointError
        When the file is missing or holds something else.
    """
    try:
        text = json.loads(regular_bytes(path, most_bytes=MOST_TEXT_BYTES).decode("utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); is this the folder of a model?") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged, it is not JSON ({error})") from error
    if not isinstance(text, dict):
        raise CheckpointError(f"{path}: damaged, it does not hold an object")
    return text


def checked_csr(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, *, shape: tuple[int, int]) -> sp.csr_matrix:
    """A sparse matrix from stored arrays, whose products read no memory but their own.

    Raises
    ------
    ValueError
        When an index points outside, the rows are not in their order, or a number is not finite.

    Examples
    --------
    >>> checked_csr(np.ones(1), np.array([2]), np.array([0, 1]), shape=(1, 2))
    Traceback (most recent call last):
    ValueError: the sparse matrix has indices outside its 1 x 2 entries
    """
    rows, columns = shape
    if data.ndim != 1 or not np.isfinite(data).all() or not all(a.dtype.kind in "iu" for a in (indices, indptr)):
        raise ValueError("the sparse matrix holds what are no finite numbers or no whole indices")
    starts = indptr.astype(np.int64)
    in_order = starts.shape == (rows + 1,) and starts[0] == 0 and bool(np.all(np.diff(starts) >= 0))
    if not in_order or indices.shape != data.shape or starts[-1] != len(data):
        raise ValueError(f"the sparse matrix has rows that are not {rows} in their order")
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < columns:
        raise ValueError(f"the sparse matrix has indices outside its {rows} x {columns} entries")
    return sp.csr_matrix((data, indices.astype(np.int64), starts), shape=shape)


def check_finite(arrays: Mapping[str, np.ndarray], *names: str) -> None:
    """Refuse arrays that hold anything but finite numbers.

    Raises
    ------
    ValueError
        That names the array.

    Examples
    --------
    >>> check_finite({"mean": np.array([np.nan])}, "mean")
    Traceback (most recent call last):
    ValueError: 'mean' holds numbers that are not finite
    """
    for name in names:
        if arrays[name].dtype.kind not in "iufb" or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name!r} holds numbers that are not finite")


def check_rows(rows: np.ndarray, scale: np.ndarray, *, ndim: int) -> None:
    """Refuse rows of `to_int16` that do not have one scale each: a product would blow them up.

    Raises
    ------
    ValueError
        With the shapes.

    Examples
    --------
    >>> check_rows(np.zeros(5), np.zeros(9), ndim=2)
    Traceback (most recent call last):
    ValueError: rows of shape (5,) do not go with scales of shape (9,)
    """
    if rows.ndim != ndim or scale.shape != rows.shape[:1]:
        raise ValueError(f"rows of shape {rows.shape} do not go with scales of shape {scale.shape}")


def check_widths(**widths: Any) -> None:
    """Refuse sizes of layers that no model has, before memory is taken for them.

    Raises
    ------
    ValueError
        That names the size.

    Examples
    --------
    >>> check_widths(code=10**9)
    Traceback (most recent call last):
    ValueError: code must be a whole number from 1 to 4096, got 1000000000
    """
    for name, width in widths.items():
        if type(width) is not int or not 1 <= width <= MOST_WIDTH:
            raise ValueError(f"{name} must be a whole number from 1 to {MOST_WIDTH}, got {str(width)[:20]}")


def to_int16(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (K, ...) in 16 bits, and what each is to be multiplied by, (K,) float64.

    Examples
    --------
    >>> stored, scale = to_int16(np.array([[0.5, -1.0]]))
    >>> np.allclose(stored * scale[:, None], [[0.5, -1.0]], atol=1e-4)
    True
    """
    scale = np.abs(rows).max(axis=tuple(range(1, rows.ndim))) / INT16_MAX
    scale = np.where(scale > 0, scale, 1.0)
    stored = np.round(rows / scale.reshape(-1, *[1] * (rows.ndim - 1))).astype(np.int16)
    return stored, scale.astype(np.float64)


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


def _safetensors_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    from safetensors.numpy import save

    # memory is written as it lies, so the order must be C
    found: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return found


def _arrays(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The arrays in the bytes of a file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return read_npz(data) if path.suffix == ".npz" else dict(load(data))
    except (ValueError, LookupError, TypeError, OverflowError, MemoryError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a {path.suffix} file of arrays ({error})") from error
