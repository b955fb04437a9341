"""A plain linear face model fitted to a scan whose pose is told: what a completer must beat.

ICT-FaceKit's identity modes and a rigid motion, iterated closest points, point to plane; what the model shows in the
hole is the answer. Nothing is projected, and correspondences are robust by a gate alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.headline.heads import in_face, nose_tip
from facecom import Mesh, Similarity, Surface
from facecom.geometry.mesh import Bools, Floats, boundary_edges, face_normals, vertex_normals
from facecom.geometry.transform import rotation_from_vector
from facecom.model.adapters.linear_files import read_ict_facekit

MODES = 100
ROUNDS = ((10, 20.0, 0), (5, 8.0, 20), (10, 5.0, MODES))
"""Of each stage: iterations, how far a correspondence may be in mm, and how many modes move."""
NOISE_MM = 1.5
"""More than a scan's noise, since what the model lacks is alike at neighbouring points; of 1.5, 3 and 6 the best."""


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
        about = in_face(mean * [0.8, 0.8, 0.7])
        part, used = whole.submesh(np.all(about[whole.faces], axis=1))
        return cls(part.vertices, source.modes[:, used], part.faces)

    @property
    def rim(self) -> Bools:
        """Which faces touch the border of the model: what lies beyond it finds one of these."""
        border = np.zeros(len(self.mean), bool)
        border[boundary_edges(self.faces).ravel()] = True
        return border[self.faces].any(axis=1)

    def shape(self, code: Floats) -> Floats:
        """Vertices (V, 3) of a code (M,)."""
        return self.mean + np.einsum("m,mvd->vd", code, self.modes)


def fit_linear(scan: Mesh, model: LinearFace) -> Mesh:
    """Fit the model to a scan in mm in the face frame; the whole face of the model comes back."""
    shown = in_face(scan.vertices)
    points, normals = scan.vertices[shown], vertex_normals(scan.vertices, scan.faces)[shown]
    code, pose, rim = np.zeros(len(model.modes)), Similarity(), model.rim
    for gate, count in ((gate, count) for rounds, gate, count in ROUNDS for _ in range(rounds)):
        face = Mesh(pose.apply(model.shape(code)), model.faces)
        found = Surface(face).closest(points)
        facing = np.einsum("vd,vd->v", normals, face_normals(face)[found.faces]) > 0.5
        use = (found.distance < gate) & facing & ~rim[found.faces]
        corners = model.modes[:count, model.faces[found.faces[use]]]
        modes = np.einsum("mvkd,vk->mvd", corners, found.barycentric[use]) @ pose.rotation.T
        step = _step(found.points[use], points[use], normals[use], modes, code[:count])
        pose = Similarity(rotation_from_vector(step[:3]), step[3:6]) @ pose
        code[:count] += step[6:]
    return Mesh(pose.apply(model.shape(code)), model.faces)


def _step(posed: Floats, target: Floats, normals: Floats, modes: Floats, code: Floats) -> Floats:
    """Change of rotation vector, translation and code: point to plane, with the prior of the code."""
    motion = np.concatenate([np.cross(posed, normals), normals], axis=1)
    rows = np.concatenate([motion, np.einsum("mvd,vd->vm", modes, normals)], axis=1) / NOISE_MM
    residual = np.einsum("vd,vd->v", target - posed, normals) / NOISE_MM
    prior = np.concatenate([np.full(6, 1e-9), np.ones(len(code))])
    right = rows.T @ residual - np.concatenate([np.zeros(6), code])
    return np.linalg.solve(rows.T @ rows + np.diag(prior), right)
