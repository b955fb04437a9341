"""Linear models from files: mean and basis in npz or safetensors, FLAME-like names, and ICT-FaceKit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facecom.errors import CheckpointError
from facecom.geometry.mesh import Floats, Ints
from facecom.io.arrays import read_npz
from facecom.io.regular_files import regular_bytes
from facecom.model.adapters.source import LinearSource, fan_triangles
from facecom.model.storage import MOST_FILE_BYTES

ICT_CREDIT = "ICT-FaceKit (USC Institute for Creative Technologies), MIT licence"
MM_PER_CM, M = 10.0, 1000.0
MEAN_NAMES, BASIS_NAMES = (
    ("mean", "neutral", "v_template", "shapeMU"),
    ("basis", "modes", "identity", "shapedirs", "shapePC"),
)
SIGMA_NAMES, FACE_NAMES = ("sigma", "std", "sd"), ("faces", "triangles", "f")
PICKLE_SUFFIXES = (".pkl", ".pickle", ".p")
HOW_TO_CONVERT = (
    "pickles can run code and are not read; where you trust the file, write its v_template, shapedirs and f to an npz "
    "with numpy.savez, shapedirs as numpy.asarray(shapedirs), and give that"
)


def read_linear(path: str | Path, *, mm_per_unit: float = 1.0, modes: int | None = None) -> LinearSource:
    """A linear model from npz or safetensors: mean, basis, triangles, and standard deviations where there are any.

    Known names are mean, neutral or v_template (N, 3); basis, modes, identity or shapedirs as (M, N, 3), (N, 3, M) or
    (3 N, M); sigma, std or sd (M,), which the basis is multiplied by; faces, triangles or f (F, 3), or quads (F, 4).

    Parameters
    ----------
    mm_per_unit : 1000 for FLAME and other models in metres
    modes : leading modes to keep; all of them for None

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, a pickle, or holds something else.

    Examples
    --------
    FLAME, written to npz by its owner::

        source = read_linear("flame.npz", mm_per_unit=1000.0, modes=300)
    """
    path = Path(path)
    arrays = _arrays(path)
    mean = _pick(arrays, MEAN_NAMES, path).reshape(-1, 3)
    sigma = next((np.asarray(arrays[n], float).ravel() for n in SIGMA_NAMES if n in arrays), None)
    basis = _mode_rows(_pick(arrays, BASIS_NAMES, path), len(mean), path)
    if sigma is not None:
        if len(sigma) != len(basis):
            raise CheckpointError(f"{path}: {len(sigma)} standard deviations for {len(basis)} modes")
        basis = basis * sigma[:, None, None]
    try:
        return LinearSource(mean * mm_per_unit, _triangles(arrays, path), basis[:modes] * mm_per_unit, path.name)
    except ValueError as error:
        raise CheckpointError(f"{path}: not a linear face model ({error})") from error


def read_ict_facekit(path: str | Path, *, modes: int = 100) -> LinearSource:
    """ICT-FaceKit's identity modes, from the `FaceXModel` folder of a checkout or from an npz of its arrays.

    A checkout is in centimetres with one OBJ for each identity; an npz is taken to be in millimetres.

    Raises
    ------
    CheckpointError
        When it is neither.
    """
    path = Path(path)
    if path.is_file():
        source = read_linear(path, modes=modes)
        return LinearSource(source.mean, source.triangles, source.modes, ICT_CREDIT)
    folder = path if (path / "generic_neutral_mesh.obj").is_file() else path / "FaceXModel"
    mean, triangles = _read_obj(folder / "generic_neutral_mesh.obj")
    files = sorted(folder.glob("identity*.obj"))[:modes]
    if not files:
        raise CheckpointError(f"{folder}: holds no identity*.obj; give ICT-FaceKit's FaceXModel folder")
    found = []
    for file in files:
        vertices, _ = _read_obj(file)
        if vertices.shape != mean.shape:
            raise CheckpointError(f"{file}: has {len(vertices)} vertices, the neutral mesh {len(mean)}")
        found.append(vertices - mean)
    return LinearSource(mean * MM_PER_CM, triangles, np.array(found) * MM_PER_CM, ICT_CREDIT)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise CheckpointError(f"{path}: {HOW_TO_CONVERT}")
    try:
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.numpy import load

            try:
                return dict(load(regular_bytes(path, most_bytes=MOST_FILE_BYTES)))
            except SafetensorError as error:
                raise CheckpointError(f"{path}: damaged, not a safetensors file ({error})") from error
        return read_npz(regular_bytes(path, most_bytes=MOST_FILE_BYTES))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, LookupError, TypeError, OverflowError, MemoryError) as error:
        raise CheckpointError(f"{path}: not an npz file of plain arrays ({error}); {HOW_TO_CONVERT}") from error


def _pick(arrays: dict[str, np.ndarray], names: tuple[str, ...], path: Path) -> Floats:
    for name in names:
        if name in arrays:
            return np.asarray(arrays[name], float)
    raise CheckpointError(f"{path}: holds none of {', '.join(names)}; it has {', '.join(sorted(arrays)) or 'nothing'}")


def _mode_rows(basis: Floats, count: int, path: Path) -> Floats:
    """A basis in any of the usual shapes as (M, N, 3)."""
    if basis.ndim == 3 and basis.shape[1:] == (count, 3):
        return basis
    if basis.ndim == 3 and basis.shape[:2] == (count, 3):
        return np.moveaxis(basis, 2, 0)
    if basis.ndim == 2 and basis.shape[0] == 3 * count:
        return basis.T.reshape(-1, count, 3)
    if basis.ndim == 2 and basis.shape[1] == 3 * count:
        return basis.reshape(-1, count, 3)
    raise CheckpointError(f"{path}: a basis of shape {basis.shape} does not fit {count} vertices")


def _triangles(arrays: dict[str, np.ndarray], path: Path) -> Ints:
    """All triangles that the file names, and its quads in two halves: a mesh may have both."""
    found = [
        np.asarray(arrays[name]).astype(np.int64)
        for name in FACE_NAMES
        if name in arrays and arrays[name].ndim == 2 and arrays[name].shape[1] == 3
    ][:1]
    if "quads" in arrays:
        found.append(fan_triangles(np.asarray(arrays["quads"]).astype(int).tolist()))
    if not found:
        raise CheckpointError(f"{path}: holds no triangles; store them as faces (F, 3)")
    return np.concatenate(found)


def _read_obj(path: Path) -> tuple[Floats, Ints]:
    """Vertices and fans of triangles of an OBJ, in the file's own order, which a scan reader need not keep."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
        polygons = [
            [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]] for line in lines if line.startswith("f ")
        ]
    except ValueError as error:
        raise CheckpointError(f"{path}: not an OBJ mesh ({error})") from error
    return vertices.reshape(-1, 3), fan_triangles(polygons)
