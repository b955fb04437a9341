"""A plain linear face model fitted to a scan whose pose is told: what a completer must beat.

ICT-FaceKit's identity modes and a rigid motion, iterated closest points, point to plane; what the model shows in the
hole is the answer. Nothing is projected, nothing is robust, and no setting was tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.headline.heads import in_face, nose_tip
from facecom import Mesh, Surface
from facecom.geometry.mesh import Bools, Floats, boundary_edges, face_normals, vertex_normals
from facecom.geometry.transform import rotation_from_vector
from facecom.model.adapters.linear_files import read_ict_facekit

ROUNDS, GATE_MM, NOISE_MM, MODES = 15, 8.0, 1.0, 100


@dataclass(frozen=True, eq=False)
class LinearFace:
    """Mean (V, 3), modes (M, V, 3) for one standard deviation each, faces (F, 3); mm, nose tip at the origin."""

    mean: Floats
    modes: Floats
    faces: np.ndarray

    @classmethod
    def read(cls, data: Path) -> LinearFace:
        """ICT-FaceKit's skin where the face is scored, and some centimetres about it."""
        source = read_ict_facekit(data / "ict_facekit" / "ict_facekit.npz", modes=MODES)
        mean = source.mean - nose_tip(source.mean)
        whole = Mesh(mean, source.triangles)
        part, used = whole.submesh(in_face(mean * [0.8, 0.8, 0.7])[whole.faces].all(axis=1))
        return cls(part.vertices, source.modes[:, used], part.faces)


def fit_linear(scan: Mesh, model: LinearFace) -> Mesh:
    """Fit the model to a scan in mm in the face frame; the whole face of the model comes back."""
    surface, normals, rim = Surface(scan), face_normals(scan), on_rim(scan)
    code, rotation, shift = np.zeros(len(model.modes)), np.eye(3), np.zeros(3)
    for _ in range(ROUNDS):
        shape = model.mean + np.einsum("m,mvd->vd", code, model.modes)
        posed = shape @ rotation.T + shift
        found = surface.closest(posed)
        facing = np.einsum("vd,vd->v", vertex_normals(posed, model.faces), normals[found.faces]) > 0.5
        use = (found.distance < GATE_MM) & facing & ~rim[found.faces]
        step = _step(posed[use], found.points[use], normals[found.faces[use]], model.modes[:, use] @ rotation.T, code)
        turn = rotation_from_vector(step[:3])
        rotation, shift = turn @ rotation, turn @ shift + step[3:6]
        code = code + step[6:]
    shape = model.mean + np.einsum("m,mvd->vd", code, model.modes)
    return Mesh(shape @ rotation.T + shift, model.faces)


def _step(posed: Floats, target: Floats, normals: Floats, modes: Floats, code: Floats) -> Floats:
    """Change of rotation vector, translation and code: point to plane, with the prior of the code."""
    motion = np.concatenate([np.cross(posed, normals), normals], axis=1)
    rows = np.concatenate([motion, np.einsum("mvd,vd->vm", modes, normals)], axis=1) / NOISE_MM
    residual = np.einsum("vd,vd->v", target - posed, normals) / NOISE_MM
    prior = np.concatenate([np.full(6, 1e-9), np.ones(len(code))])
    right = rows.T @ residual - np.concatenate([np.zeros(6), code])
    return np.linalg.solve(rows.T @ rows + np.diag(prior), right)


def on_rim(scan: Mesh) -> Bools:
    """Which faces touch the boundary of the scan: a vertex of the model over a hole finds one of these."""
    edge = np.zeros(len(scan.vertices), bool)
    edge[boundary_edges(scan.faces).ravel()] = True
    return edge[scan.faces].any(axis=1)
