"""Take the expression out of a registered face: which part of its shape is a smile, and which is the person.

Identity is the face model's code with its prior N(0, 1), expression a set of movements with weights between 0 and 1;
both are fitted at once to the registered vertices, and the expression is subtracted.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from scipy import linalg, optimize

from facecom.errors import CheckpointError
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Floats, frozen
from facecom.model.linear import LinearGenerator

FORMAT, VERSION, LEVEL = "facecom-expressions", 1, 1
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
CREDIT = "ICT-FaceKit (USC Institute for Creative Technologies), MIT licence: expression modes"


@dataclass(frozen=True)
class ExpressionSettings:
    """How identity and expression are told apart."""

    noise_mm: float = 0.5
    """Standard deviation of what neither explains, of a vertex of average area."""
    weight_sd: float = 0.15
    """Standard deviation of a weight: most movements are small in most faces."""
    least_weight: float = 0.02
    """Smaller weights are not named in the result."""


@dataclass(frozen=True, eq=False)
class Expressions:
    """Movements of the face on a coarse level of the template.

    names : as ICT-FaceKit calls them, jawOpen and so on; modes : (K, V1, 3) float, mm at weight one.
    """

    names: tuple[str, ...]
    modes: np.ndarray

    def __post_init__(self) -> None:
        if self.modes.ndim != 3 or len(self.modes) != len(self.names):
            raise ValueError(f"expected modes (K, V, 3) for {len(self.names)} names, got {self.modes.shape}")
        object.__setattr__(self, "modes", frozen(self.modes, np.float64))

    def save(self, directory: str | Path) -> None:
        """Write model.json and weights.safetensors."""
        from safetensors.numpy import save

        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        scale = np.maximum(np.abs(self.modes).max(axis=(1, 2)), 1e-9) / 32767.0
        data = save({"modes": np.round(self.modes / scale[:, None, None]).astype(np.int16), "scale": scale})
        (folder / WEIGHTS).write_bytes(data)
        about = {"format": FORMAT, "version": VERSION, "names": list(self.names), "sources": [CREDIT]}
        text = json.dumps({**about, "sha256": hashlib.sha256(data).hexdigest()}, indent=1, sort_keys=True)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | Path | None = None) -> Expressions:
        """Read expressions; without a directory the shipped ones, which are read once.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged or of another kind.
        """
        return _shipped() if directory is None else _read(Path(directory))


@functools.cache
def _shipped() -> Expressions:
    with resources.as_file(resources.files("facecom").joinpath("assets", "expressions")) as folder:
        return _read(folder)


def _read(folder: Path) -> Expressions:
    from safetensors.numpy import load

    try:
        text = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        data = (folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}: the expressions cannot be read ({error})") from error
    if text.get("format") != FORMAT or text.get("version") != VERSION:
        raise CheckpointError(f"{folder / DESCRIPTION}: not expressions of version {VERSION}")
    if hashlib.sha256(data).hexdigest() != text.get("sha256"):
        raise CheckpointError(f"{folder / WEIGHTS}: damaged, its hash is not the one in {DESCRIPTION}")
    stored = load(data)
    return Expressions(tuple(text["names"]), stored["modes"] * stored["scale"][:, None, None])


def expression_weights(
    vertices: Floats,
    model: LinearGenerator,
    expressions: Expressions,
    *,
    trust: Floats | None = None,
    settings: ExpressionSettings | None = None,
) -> Floats:
    """Weights (K,) in 0..1 of the expressions in a face, fitted together with who it is and a small motion.

    Parameters
    ----------
    vertices : (V1, 3) float, mm, face frame, on the level of the expressions
    model : what faces without expression look like
    expressions : Expressions
    trust : (V1,) in 0..1, how much each vertex counts; all the same unless given
    settings : ExpressionSettings

    Raises
    ------
    ValueError
        When the vertices are of another topology.
    """
    settings = settings or ExpressionSettings()
    mean, faces = model.template.vertices[: model.template.counts[LEVEL]], model.template.faces[LEVEL]
    if not vertices.shape == mean.shape == expressions.modes.shape[1:]:
        raise ValueError(f"expected vertices {mean.shape} and expressions alike, got {vertices.shape}")
    area = vertex_areas(mean, faces)
    share = (area / area.mean()) * (1.0 if trust is None else trust)
    root = np.repeat(np.sqrt(share) / settings.noise_mm, 3)
    turns = [np.cross(axis, mean).ravel() for axis in np.eye(3)]
    shifts = [np.tile(axis, len(mean)) for axis in np.eye(3)]
    person = np.column_stack([model.jacobian(np.zeros(model.code_size), level=LEVEL), *turns, *shifts]) * root[:, None]
    moves = expressions.modes.reshape(len(expressions.modes), -1).T * root[:, None]
    target = (vertices - mean).ravel() * root
    prior = np.concatenate([np.ones(model.code_size), np.full(6, 1e-6)])
    both = person.T @ np.column_stack([moves, target])
    explained = linalg.solve(person.T @ person + np.diag(prior), both, assume_a="pos")
    inner = moves.T @ np.column_stack([moves, target]) - both[:, :-1].T @ explained
    system = inner[:, :-1] + np.eye(len(inner)) / settings.weight_sd**2
    upper = linalg.cholesky(0.5 * (system + system.T))
    right = linalg.solve_triangular(upper, inner[:, -1], trans="T")
    return optimize.lsq_linear(upper, right, bounds=(0.0, 1.0)).x
