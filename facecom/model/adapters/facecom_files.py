"""FaceCom's own files as a face model: its decoder, the level matrices that belong to it, mean and deviation."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facecom.errors import CheckpointError, need
from facecom.geometry.mesh import Floats, Ints, read_only
from facecom.io.arrays import read_npz
from facecom.io.regular_files import regular_bytes
from facecom.model.adapters.facecom_network import FaceComDecoder
from facecom.model.adapters.source import fan_triangles
from facecom.model.storage import (
    MOST_FILE_BYTES,
    StorageFormat,
    check_widths,
    checkpoint_errors,
    read_stored,
    write_stored,
)

KIND = StorageFormat("facecom-cvpr2024-decoder", 1)
CREDIT = "FaceCom (dragonylee/FaceCom, CVPR 2024), MIT licence"
JACOBIAN_CHUNK = 32
"""Code entries by which the derivative is taken at a time, for memory."""


@dataclass(frozen=True, eq=False)
class FaceComSource:
    """FaceCom's decoder as a face model with codes N(0, I): z is the code over sqrt(Z), so that its length is about 1.

    mean : (N, 3), mm, the face of code zero; triangles : (F, 3)
    offset, scale : (N, 3), the training set's mean and standard deviation
    """

    decoder: FaceComDecoder
    triangles: Ints
    offset: Floats
    scale: Floats
    credit: str = CREDIT

    def __post_init__(self) -> None:
        for name, dtype in (("triangles", np.int64), ("offset", np.float64), ("scale", np.float64)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, 3))
        self.decoder.eval()

    @property
    def code_size(self) -> int:
        """Number of code entries."""
        return int(self.decoder.decoder_lin.in_features)

    @functools.cached_property
    def mean(self) -> Floats:
        """The face of code zero, (N, 3)."""
        return self.decode(np.zeros(self.code_size))

    @torch.no_grad()
    def decode(self, code: Floats) -> Floats:
        """Vertices (N, 3) or (B, N, 3), mm, for a code (M,) or codes (B, M)."""
        code = np.asarray(code, float)
        z = torch.as_tensor(code.reshape(-1, self.code_size) / np.sqrt(self.code_size), dtype=torch.float32)
        found = self.decoder(z)[0].transpose(0, 1).double().numpy() * self.scale + self.offset
        return found.reshape(*code.shape[:-1], -1, 3)

    @torch.no_grad()
    def jacobian(self, code: Floats) -> Floats:
        """Derivative of the vertices, (3 N, M); some entries at a time, for memory."""
        z = torch.as_tensor(np.asarray(code, float) / np.sqrt(self.code_size), dtype=torch.float32)[None]
        every = torch.eye(self.code_size) / float(np.sqrt(self.code_size))
        parts = [self.decoder(z, along)[1].double().numpy() for along in every.split(JACOBIAN_CHUNK)]
        return (np.concatenate(parts, axis=1) * self.scale[:, None]).transpose(0, 2, 1).reshape(-1, self.code_size)

    def save(self, directory: str | Path) -> None:
        """Write everything that `load` needs, the level matrices too."""
        decoder = self.decoder
        arrays = {f"network.{k}": v.numpy() for k, v in decoder.state_dict().items()}
        arrays |= {"triangles": self.triangles, "offset": self.offset, "scale": self.scale}
        for k in range(decoder.steps):
            for name in ("around", "up"):
                matrix = getattr(decoder, f"{name}_{k}").coalesce()
                arrays[f"{name}_{k}.index"] = matrix.indices().numpy()
                arrays[f"{name}_{k}.values"] = matrix.values().numpy()
                arrays[f"{name}_{k}.shape"] = np.array(matrix.shape)
        text = {"wide": decoder.wide, "narrow": decoder.narrow, "code": self.code_size, "sources": [self.credit]}
        write_stored(directory, arrays, text, kind=KIND)

    @classmethod
    def load(cls, directory: str | Path) -> FaceComSource:
        """Read what `save` wrote.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged, or of another kind.
        """
        folder = Path(directory)
        arrays, text = read_stored(folder, kind=KIND)
        with checkpoint_errors(folder, kind=KIND):
            steps = range(len(text["wide"]) - 1)
            around, ups = ([_stored(arrays, f"{name}_{k}") for k in steps] for name in ("around", "up"))
            prefix = "network."
            state = {k[len(prefix) :]: torch.from_numpy(v) for k, v in arrays.items() if k.startswith(prefix)}
            _check_sizes(text, state, around=around, ups=ups, vertices=len(arrays["offset"]))
            decoder = FaceComDecoder(text["code"], text["wide"], text["narrow"], around=around, ups=ups)
            decoder.load_state_dict(state)
            return cls(decoder, arrays["triangles"], arrays["offset"], arrays["scale"])


def _stored(arrays: dict[str, np.ndarray], name: str) -> Tensor:
    index, values = torch.from_numpy(arrays[f"{name}.index"]), torch.from_numpy(arrays[f"{name}.values"])
    return torch.sparse_coo_tensor(
        index, values, tuple(arrays[f"{name}.shape"].tolist()), check_invariants=True
    ).coalesce()


def _check_sizes(
    text: dict[str, Any], state: dict[str, Tensor], *, around: list[Tensor], ups: list[Tensor], vertices: int
) -> None:
    """Refuse matrices and widths that do not belong together, before memory is taken for them."""
    widths = [*text["wide"], *text["narrow"], text["code"]]
    check_widths(**{f"width {k + 1}": width for k, width in enumerate(widths)})
    counts = [vertices, *(matrix.shape[1] for matrix in ups)]
    fits = all(matrix.shape[0] == count for matrix, count in zip(ups, counts[:-1], strict=True))
    fits &= all(matrix.shape == (count, count) for matrix, count in zip(around, counts[:-1], strict=True))
    if not ups or not fits or counts != sorted(counts, reverse=True):
        raise ValueError("its levels do not follow one another")
    if state["decoder_local_lin.weight"].shape != (text["narrow"][-1] * vertices, text["code"]):
        raise ValueError("its local branch has another size than its description says")


def convert_facecom(
    decoder: str | Path, norm: str | Path, template: str | Path, *, levels: str | Path
) -> FaceComSource:
    """FaceCom's own files as a source: call `save` on it, and the originals are needed no more.

    Parameters
    ----------
    decoder, norm, template : checkpoint_decoder.pt, norm.pt and template.ply
    levels : npz with the matrices of the run that trained the weights: `up_0` ... (V_k, V_k+1), and `edges_0` ...
        (2, E), fine to coarse. FaceCom computes them anew at each start by decimating the template; another version of
        that library gives others, and with them other faces. In its environment:
        `_, A, _, U = generate_transform_matrices_trimesh(mesh, [4, 4, 4])`; then numpy.savez, U as up_k, A as edges_k.

    Raises
    ------
    CheckpointError
        When a file is missing, is not what it should be, or needs unpickling of more than tensors.
    """
    state, scales = _tensors(Path(decoder)), _tensors(Path(norm))
    triangles = _ply_triangles(Path(template))
    try:
        stored = read_npz(regular_bytes(levels, most_bytes=MOST_FILE_BYTES))
        steps = sum(name.startswith("up_") for name in stored)
        ups = [_dense(stored[f"up_{k}"]) for k in range(steps)]
        around = [self_and_neighbour_average(stored[f"edges_{k}"], ups[k].shape[0]) for k in range(steps)]
        wide, narrow = (_widths(state, branch, steps) for branch in ("global", "local"))
        network = FaceComDecoder(state["decoder_lin.weight"].shape[1], wide, narrow, around=around, ups=ups)
        network.load_state_dict(state)
        offset, scale = (scales[name].reshape(-1, 3).double().numpy() for name in ("mean", "std"))
        return FaceComSource(network, triangles, offset, scale)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{decoder}: not FaceCom's decoder ({' '.join(str(error).split())})") from error


def _widths(state: dict[str, Tensor], branch: str, steps: int) -> list[int]:
    """Features of each level, fine to coarse."""
    return [3, *(int(state[f"decoder_convs_{branch}.{k}.lin.weight"].shape[1]) for k in reversed(range(steps)))]


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # what a damaged or hostile file raises is not documented, nor one family
        raise CheckpointError(f"{path}: not a file of tensors alone ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise CheckpointError(f"{path}: does not hold named tensors")
    return dict(found)


def _dense(matrix: np.ndarray) -> Tensor:
    return torch.tensor(matrix, dtype=torch.float32).to_sparse().coalesce()


def self_and_neighbour_average(edges: np.ndarray, count: int) -> Tensor:
    """Sparse (V, V) that takes the mean of each vertex and its neighbours, from directed edges (2, E)."""
    own = np.arange(count)
    off = edges[:, edges[0] != edges[1]]
    source, target = np.concatenate([off[0], own]), np.concatenate([off[1], own])
    degree = np.bincount(target, minlength=count)
    index = torch.tensor(np.stack([target, source]), dtype=torch.int64)
    values = torch.tensor(1.0 / degree[target], dtype=torch.float32)
    return torch.sparse_coo_tensor(index, values, (count, count), check_invariants=False).coalesce()


def _ply_triangles(path: Path) -> Ints:
    trimesh = need("trimesh")
    try:
        mesh = trimesh.load_mesh(path, process=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as a mesh ({error})") from error
    return fan_triangles(np.asarray(mesh.faces).tolist())
