"""Make the demo scans from the shipped face model: three people who do not exist, scanned with parts missing.

python -m training.make_demo [--out data/demo]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facecom.evaluation.defects import Defect, defect_mask
from facecom.evaluation.partial_scans import NO_FACES, ScanSettings, partial_scan
from facecom.geometry.closest_points import Surface
from facecom.geometry.clustering import cluster_vertices
from facecom.geometry.mesh import Floats, Ints, Mesh, unique_edges, vertex_normals
from facecom.geometry.sampling import sample_surface
from facecom.geometry.subdivision import loop_matrix, split_faces
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.files import write_mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL

UPSIDE_DOWN = Similarity(rotation_from_vector([0.0, 0.0, np.pi]))
SPREAD = 0.8
"""Factor on the code: people nearer to the mean than chance would make them."""


def person(model: LinearGenerator, seed: int, *, level: int) -> Mesh:
    """A whole face of the model, without the offsets beside the modes; in double precision: equal files anywhere."""
    code = np.random.default_rng(seed).normal(size=model.code_size)[: model.identity_size] * SPREAD
    offset = np.tensordot(code, model.modes.astype(float), axes=1)
    mean = model.mean(level)
    return mean.with_vertices(mean.vertices + model.prolong_offset(offset, from_level=SHAPE_LEVEL, to_level=level))


def rescanned(face: Mesh, *, cell_mm: float) -> Mesh:
    """The same surface with other triangles: averaged over the cells of a grid that is turned against the face."""
    turn = Similarity(rotation_from_vector([0.4, 0.3, 0.2]))
    mesh, _ = cluster_vertices(face.with_vertices(turn.apply(face.vertices)), cell_mm=cell_mm)
    return mesh.with_vertices(turn.inverse().apply(mesh.vertices))


def without(face: Mesh, defect: Defect, *, seed: int, rim: bool = False) -> Mesh:
    """The face less one defect, in its own frame; with `rim`, the triangles that lie across its border stay."""
    lost = defect_mask(face.vertices, defect, seed=seed)[face.faces]
    return face.submesh(~(lost.all(axis=1) if rim else lost.any(axis=1)))[0]


def refined(mesh: Mesh, *, edge_mm: float, radius_mm: float, smooth: Surface, rounds: int = 4) -> Mesh:
    """Split edges near the nose tip until they are short, without cracks; new vertices lie on `smooth`."""
    vertices, faces = mesh.vertices, mesh.faces
    for _ in range(rounds):
        edges, edge, _ = unique_edges(faces)
        ends = vertices[edges]
        length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        long = (np.linalg.norm(ends.mean(axis=1), axis=1) < radius_mm) & (length > np.sqrt(2) * edge_mm)
        middle = np.full(len(edges), -1)
        middle[long] = len(vertices) + np.arange(long.sum())
        faces = _split(faces, middle[edge.reshape(3, -1).T])
        between = ends[long].mean(axis=1)
        near = smooth.closest(between)
        # Where lips or lids touch, the closest point can lie on the other one.
        vertices = np.concatenate([vertices, np.where((near.distance < 0.15)[:, None], near.points, between)])
    return Mesh(vertices, faces)


def _split(faces: Ints, middle: Ints) -> Ints:
    """Faces with a new vertex on some of their edges (-1: none), cut in two, three or four."""
    out = [faces[(middle < 0).all(axis=1)]]
    a, b, c = faces.T
    x, y, z = middle.T
    every = (middle >= 0).all(axis=1)
    four = np.stack([a, x, z, x, b, y, z, y, c, x, y, z], axis=1)[every]
    out.append(four.reshape(-1, 3))
    for k in range(3):
        (a, b, c), (x, y, z) = np.roll(faces, -k, axis=1).T, np.roll(middle, -k, axis=1).T
        one = (x >= 0) & (y < 0) & (z < 0)
        out.append(np.stack([a, x, c, x, b, c], axis=1)[one].reshape(-1, 3))
        two = (x >= 0) & (y >= 0) & (z < 0)
        out.append(np.stack([x, b, y, a, x, y, a, y, c], axis=1)[two].reshape(-1, 3))
    return np.concatenate(out)


def relief(points: Floats, *, seed: int, height_mm: float, shortest_mm: float, longest_mm: float) -> Floats:
    """A random height (N,) in a band of wavelengths: many plane waves in random directions."""
    rng = np.random.default_rng(seed)
    total = np.zeros(len(points))
    count = 160
    for _ in range(count):
        direction = rng.normal(size=3)
        wave = direction / np.linalg.norm(direction) * 2 * np.pi / rng.uniform(shortest_mm, longest_mm)
        total += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))
    return height_mm * np.sqrt(2 / count) * total


def nose(model: LinearGenerator) -> Mesh:
    """A fine scan, upright and frontal to some degrees, in mm: the nose is missing; pores on the skin around it."""
    face = without(person(model, 3, level=2), "nose", seed=3, rim=True)
    fine = person(model, 3, level=3)
    finer, _ = split_faces(fine.faces, len(fine.vertices))
    smooth = Surface(Mesh(loop_matrix(fine.faces, len(fine.vertices)) @ fine.vertices, finer))
    mesh = refined(face, edge_mm=0.3, radius_mm=46.0, smooth=smooth)
    fade = np.clip((47.0 - np.linalg.norm(mesh.vertices, axis=1)) / 4.0, 0.0, 1.0)
    height = fade * relief(mesh.vertices, seed=33, height_mm=0.02, shortest_mm=0.65, longest_mm=1.4)
    mesh = mesh.with_vertices(mesh.vertices + height[:, None] * vertex_normals(mesh.vertices, mesh.faces))
    settings = ScanSettings(noise_mm=0.002, max_shift_mm=60.0)
    return partial_scan(mesh, "nose", seed=3, settings=settings).scan


def half(model: LinearGenerator) -> Mesh:
    """Points alone, upside down, in metres, with the noise of a depth camera: seen from the right side only."""
    settings = ScanSettings(noise_mm=0.0, max_angle=0.3)
    seen = partial_scan(person(model, 24, level=3), "one_sided", seed=24, settings=settings)
    front = Mesh(seen.pose.inverse().apply(seen.scan.vertices), seen.scan.faces)
    front, _ = front.submesh((front.vertices[front.faces][:, :, 2] > -110.0).all(axis=1))
    points = sample_surface(front, 16_000, seed=24).points
    noisy = points + np.random.default_rng(24).normal(size=points.shape) * 0.15
    metres = Similarity(scale=0.001) @ UPSIDE_DOWN @ seen.pose
    return Mesh(metres.apply(noisy), NO_FACES)


def orbit_and_cheek(model: LinearGenerator) -> Mesh:
    """A coarse scan in mm, turned to the side, with floating clutter: one eye and the cheek below it are missing."""
    face = rescanned(person(model, 11, level=3), cell_mm=2.2)
    settings = ScanSettings(noise_mm=0.1, clutter=6, max_angle=np.radians(40))
    return partial_scan(without(face, "cheek_wide", seed=12), "orbit", seed=11, settings=settings).scan


def rounded(scan: Mesh, *, decimals: int, single: bool = True) -> Mesh:
    """Coordinates to so many decimals; in single precision for binary files, which then need no double."""
    vertices = np.round(scan.vertices, decimals)
    return scan.with_vertices(vertices.astype(np.float32) if single else vertices)


def demo_scans(model: LinearGenerator) -> dict[str, Mesh]:
    """File name -> scan; rounded, so that the last bits of the arithmetic do not reach the files."""
    return {
        "nose.ply": rounded(nose(model), decimals=4),
        "half_points_metres.ply": rounded(half(model), decimals=7),
        "orbit_and_cheek.obj": rounded(orbit_and_cheek(model), decimals=3, single=False),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/demo"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, scan in demo_scans(LinearGenerator.load()).items():
        write_mesh(out / name, scan)
        size = (out / name).stat().st_size
        print(f"{out / name}: {len(scan.vertices)} vertices, {len(scan.faces)} faces, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
