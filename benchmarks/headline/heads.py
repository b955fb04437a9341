"""Whole heads that no training set holds, in the face frame: where their files lie, and how they are turned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecom import Mesh, Similarity, read_scan
from facecom.geometry.mesh import Bools, Floats
from facecom.geometry.transform import rotation_from_vector

SIMPOP_DEV = (1, 4, 7, 10, 13, 16, 19)
MIDLINE_MM = 25.0
"""The nose tip is looked for within this distance of the median of x."""


@dataclass(frozen=True)
class HeadFile:
    """One head on disk.

    name : as the tables call it; path : below the folder of the data; mm : of the file's unit;
    pitch : radians about x that bring the face to look along z; real : a scan of a person, not simulated.
    """

    name: str
    path: str
    mm: float = 1.0
    pitch: float = 0.0
    real: bool = False


def simpop(number: int) -> HeadFile:
    """One of the twenty simulated faces of MeshMonk."""
    return HeadFile(f"simpop{number:02d}", f"meshmonk_simpop/SIMPOP_{number:02d}.obj")


REAL_HEADS = (
    HeadFile("james", "menpo_james/james.obj", real=True),
    HeadFile("lps", "lee_perry_smith/LeePerrySmith.glb", mm=45.7, pitch=np.radians(-12.0), real=True),
)
DEV_HEADS = (*(simpop(number) for number in SIMPOP_DEV), *REAL_HEADS)
OTHER_HEADS = (*(simpop(number) for number in range(1, 21) if number not in SIMPOP_DEV), *REAL_HEADS)


def read_head(head: HeadFile, data: Path) -> Mesh:
    """The head in mm, nose tip at the origin, x to the person's left, y up, z out of the face."""
    mesh = welded(read_scan(data / head.path))
    vertices = mesh.vertices * head.mm
    upright = Similarity(rotation_from_vector([head.pitch, 0.0, 0.0]))
    return mesh.with_vertices(upright.apply(vertices - nose_tip(vertices)))


def nose_tip(vertices: Floats) -> Floats:
    """The foremost vertex near the midline, (3,); the head looks along z to within some degrees."""
    middle = vertices[np.abs(vertices[:, 0] - np.median(vertices[:, 0])) < MIDLINE_MM]
    return middle[middle[:, 2].argmax()]


def welded(mesh: Mesh) -> Mesh:
    """Vertices at one place become one, since files with a texture hold the seams twice; unused ones go."""
    places, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = index.reshape(-1)[mesh.faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return Mesh(places, faces[whole]).submesh(np.ones(int(whole.sum()), bool))[0]


def in_face(points: Floats) -> Bools:
    """Which points (N, 3), face frame, mm, belong to the face that is scored, without ears and neck."""
    return (points[:, 2] > -70.0) & (np.hypot(points[:, 0], points[:, 1] - 10.0) < 80.0)
