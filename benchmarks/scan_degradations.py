"""Scans that are harder than a frontal face, made by script from a whole head in the face frame, mm.

Each kind is a function (head, generator of random numbers) -> Variant. Where the kind itself leaves the face whole, its
nose is cut away, so that there is something to complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from non_faces import joined
from numpy.typing import NDArray

from facecom.errors import need
from facecom.evaluation.defects import defect_mask
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, face_normals, unit, vertex_normals
from facecom.geometry.transform import rotation_from_vector

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Variant:
    """A scan to be: `scan` with its faults, `kept` what it truly shows of the head; both in the face frame, mm.

    unit : of the file that a user would have; told : whether the user says so; most_turn : radians, how far the scan is
    turned afterwards
    """

    scan: Mesh
    kept: Mesh
    unit: str = "mm"
    told: bool = False
    most_turn: float = np.pi


def without_nose(head: Mesh, rng: Rng) -> Mesh:
    """The head less its nose."""
    lost = defect_mask(head.vertices, "nose", seed=int(rng.integers(2**31)))
    return head.submesh(~lost[head.faces].any(axis=1))[0]


def _noisy(rng: Rng, mesh: Mesh, sigma_mm: float = 0.1) -> Mesh:
    return mesh.with_vertices(mesh.vertices + rng.normal(0, sigma_mm, mesh.vertices.shape))


def turned(head: Mesh, rng: Rng) -> Variant:
    """Nothing but a pose of up to 180 degrees."""
    kept = without_nose(head, rng)
    return Variant(_noisy(rng, kept), kept)


def _visible(head: Mesh, towards: NDArray, least_cosine: float) -> Mesh:
    """The triangles that a camera far off in direction `towards` sees."""
    centres = head.vertices[head.faces].mean(1)
    facing = face_normals(head) @ towards > least_cosine
    free = ~np.isfinite(Surface(head).cast(centres + 0.05 * towards, towards).depth)
    return head.submesh(facing & free)[0]


def _from_side(head: Mesh, rng: Rng, yaw: tuple[float, float], pitch: float) -> Variant:
    a, b = np.radians(rng.uniform(*yaw)) * rng.choice([-1, 1]), np.radians(rng.uniform(-pitch, pitch))
    kept = _visible(head, np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)]), 0.15)
    return Variant(_noisy(rng, kept), kept)


def half_profile(head: Mesh, rng: Rng) -> Variant:
    """What a camera sees from 35 to 55 degrees aside."""
    return _from_side(head, rng, (35, 55), 15)


def profile(head: Mesh, rng: Rng) -> Variant:
    """What a camera sees from 70 to 90 degrees aside."""
    return _from_side(head, rng, (70, 90), 10)


def from_below(head: Mesh, rng: Rng) -> Variant:
    """What a camera sees from 35 to 55 degrees below or above."""
    b = np.radians(rng.uniform(35, 55)) * rng.choice([-1, 1])
    kept = _visible(head, np.array([0.0, np.sin(b), np.cos(b)]), 0.15)
    return Variant(_noisy(rng, kept), kept)


def depth_frame(head: Mesh, rng: Rng) -> Variant:
    """A depth camera's frame from 55 to 75 degrees aside: a grid of pixels, steps bridged, flying points."""
    yaw = np.radians(rng.uniform(55, 75)) * rng.choice([-1, 1])
    towards = np.array([np.sin(yaw), 0.05, np.cos(yaw)])
    points, seen = _depth_grid(head, unit(towards), pixel_mm=1.6)
    size = len(seen)
    depth = points @ unit(towards)
    depth = depth + rng.normal(0, 0.35, depth.shape) - 12.0 * (rng.random(depth.shape) < 0.004)
    noisy = points + (depth - points @ unit(towards))[..., None] * unit(towards)
    index = np.arange(size * size).reshape(size, size)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)])
    steps = np.ptp(depth.ravel()[faces], axis=1)
    faces = faces[seen.ravel()[faces].all(axis=1) & (steps < 25.0)]
    scan = Mesh(noisy.reshape(-1, 3), faces).submesh(np.ones(len(faces), bool))[0]
    return Variant(scan, _visible(head, unit(towards), 0.15))


def _depth_grid(head: Mesh, towards: NDArray, *, pixel_mm: float) -> tuple[NDArray, NDArray]:
    """Where a square grid of rays against `towards` meets the head, (n, n, 3), and whether it does."""
    aside = unit(np.cross([0.0, 1.0, 0.0], towards))
    up = np.cross(towards, aside)
    steps = np.arange(-130, 130, pixel_mm)
    x, y = np.meshgrid(steps, steps[::-1])
    start = x[..., None] * aside + y[..., None] * up + 400.0 * towards + [0, 10, -50]
    depth = Surface(head).cast(start.reshape(-1, 3), -towards).depth.reshape(x.shape)
    seen = np.isfinite(depth)
    return start - np.where(seen, depth, 0.0)[..., None] * towards, seen


def _beside(head: Mesh, others: list[Mesh], rng: Rng, **options: object) -> Variant:
    """The head without a nose, and other surfaces in the same scan."""
    kept = without_nose(head, rng)
    parts = [_noisy(rng, part) for part in (kept, *others)]
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)])
    return replace(Variant(Mesh(np.concatenate([p.vertices for p in parts]), faces), kept), **options)


def shoulders(head: Mesh, rng: Rng) -> Variant:
    """With neck, shoulders and chest below."""
    low = float(head.vertices[:, 1].min())
    parts = [((0, low, -95), (58, 70, 58)), ((0, low - 75, -100), (rng.uniform(180, 230), 60, 75))]
    return _beside(head, [joined([*parts, ((0, low - 190, -95), (170, 150, 100))], edge=6.0)], rng)


def hat(head: Mesh, rng: Rng) -> Variant:
    """A cap with a brim over forehead and ears; what lies under it is not seen."""
    brow = rng.uniform(52, 62)
    cap = joined([((0, brow + 20, -85), (92, 75, 112)), ((0, brow + 8, -20), (75, 4, rng.uniform(50, 75)))], edge=3.0)
    cap = cap.submesh((cap.vertices[cap.faces, 1] > brow - 5).all(axis=1))[0]
    below = head.submesh((head.vertices[head.faces, 1] < brow).all(axis=1))[0]
    return _beside(below, [cap], rng)


def hair(head: Mesh, rng: Rng) -> Variant:
    """Sixty strands that hang over forehead and cheeks, and a fringe that hides the brow."""
    starts = head.vertices[rng.choice(np.flatnonzero(head.vertices[:, 1] > 55), 60)]
    normals = vertex_normals(head.vertices, head.faces)
    ends = head.vertices[:, 1] < 80
    hidden = (np.abs(head.vertices[:, 0]) < 60) & (head.vertices[:, 1] > rng.uniform(58, 75)) & ends
    open_skin = head.submesh(~hidden[head.faces].any(axis=1))[0]
    away = np.sign(starts[:, :1]) * [1.0, 0.0, 0.0]
    strands = [_strand(rng, start + 4.0, side) for start, side in zip(starts, away, strict=True)]
    skin = Mesh(head.vertices + 5.0 * normals, head.faces).submesh(hidden[head.faces].all(axis=1))[0]
    return _beside(open_skin, [_noisy(rng, skin, 1.5), *strands], rng)


def _strand(rng: Rng, start: NDArray, away: NDArray) -> Mesh:
    """A ribbon that hangs down from a point."""
    along = np.linspace(0, rng.uniform(60, 140), 40)
    drop = start + np.outer(along, [0, -1, 0]) + np.outer(15 * np.sin(along / rng.uniform(15, 40)), away)
    across = rng.uniform(1.5, 5) * unit(np.array([rng.normal(), 0.0, rng.normal()]))
    vertices = np.concatenate([drop - across, drop + across])
    a, b = np.arange(39), np.arange(39) + 40
    return Mesh(vertices, np.concatenate([np.stack([a, a + 1, b], 1), np.stack([a + 1, b + 1, b], 1)]))


def junk(head: Mesh, rng: Rng) -> Variant:
    """Thirty balls of 2 to 18 mm in the air, and a plate of 120 mm."""
    make = need("trimesh").creation
    others = []
    for _ in range(30):
        made = make.icosphere(2, rng.uniform(2, 18))
        others.append(Mesh(made.vertices + rng.uniform(-130, 130, 3) + unit(rng.normal(size=3)) * 90, made.faces))
    plate = make.box((120, 80, 6)).subdivide().subdivide().subdivide()
    others.append(Mesh(plate.vertices + [150, -60, -20], plate.faces))
    return _beside(head, others, rng)


def wall(head: Mesh, rng: Rng) -> Variant:
    """A wall behind, 700 mm wide, and the edge of a table below."""
    make = need("trimesh").creation
    flat = make.box((700, 600, 10))
    table = make.box((500, 15, 300))
    for _ in range(5):
        flat, table = flat.subdivide(), table.subdivide()
    behind = rng.uniform(190, 260)
    others = [Mesh(flat.vertices - [0, 0, behind], flat.faces), Mesh(table.vertices - [40, 230, 60], table.faces)]
    return _beside(head, others, rng)


def layers(head: Mesh, rng: Rng) -> Variant:
    """Two passes of a scanner that were never merged: the second covers a part and lies 0.3 mm off."""
    centre = head.vertices[rng.integers(len(head.vertices))]
    near = np.linalg.norm(head.vertices - centre, axis=1) < 90
    normals = vertex_normals(head.vertices, head.faces)
    second = Mesh(head.vertices + 0.3 * normals, head.faces).submesh(near[head.faces].all(axis=1))[0]
    lost = defect_mask(second.vertices, "nose", seed=0)
    return _beside(head, [second.submesh(~lost[second.faces].any(axis=1))[0]], rng)


def pieces(head: Mesh, rng: Rng) -> Variant:
    """The face in separate pieces, gaps of 3 mm between."""
    kept = without_nose(head, rng)
    seeds = kept.vertices[rng.choice(len(kept.vertices), 9)]
    gaps = np.sort(np.linalg.norm(kept.vertices[:, None] - seeds, axis=2), axis=1)
    kept = kept.submesh((gaps[:, 1] - gaps[:, 0] > 3.0)[kept.faces].all(axis=1))[0]
    return Variant(_noisy(rng, kept), kept)


def inside_out(head: Mesh, rng: Rng) -> Variant:
    """All triangles the wrong way round."""
    made = turned(head, rng)
    return replace(made, scan=Mesh(made.scan.vertices, made.scan.faces[:, ::-1]))


def mixed_triangles(head: Mesh, rng: Rng) -> Variant:
    """Each triangle with corners of its own, half of them the wrong way round."""
    made = turned(head, rng)
    faces = np.where(rng.random(len(made.scan.faces))[:, None] < 0.5, made.scan.faces[:, ::-1], made.scan.faces)
    soup = Mesh(made.scan.vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3))
    return replace(made, scan=soup)


def points(head: Mesh, rng: Rng) -> Variant:
    """Points alone, without normals, in random order."""
    made = turned(head, rng)
    order = rng.permutation(len(made.scan.vertices))
    return replace(made, scan=Mesh(made.scan.vertices[order], np.zeros((0, 3), int)))


def points_with_normals(head: Mesh, rng: Rng) -> Variant:
    """Points with normals, half of them pointing inwards."""
    made = turned(head, rng)
    normals = vertex_normals(made.scan.vertices, made.scan.faces) * rng.choice([-1, 1], (len(made.scan.vertices), 1))
    return replace(made, scan=Mesh(made.scan.vertices, np.zeros((0, 3), int), normals=normals))


def centimetres(head: Mesh, rng: Rng) -> Variant:
    """Stored in cm."""
    return replace(turned(head, rng), unit="cm")


def metres(head: Mesh, rng: Rng) -> Variant:
    """Stored in m, seen from the side."""
    return replace(half_profile(head, rng), unit="m")


def rough(head: Mesh, rng: Rng) -> Variant:
    """Noise of 0.6 mm."""
    kept = without_nose(head, rng)
    return Variant(_noisy(rng, kept, 0.6), kept)


VARIANTS: tuple[Callable[[Mesh, Rng], Variant], ...] = (
    turned, half_profile, profile, from_below, depth_frame, shoulders, hat, hair, junk, wall, layers, pieces,
    inside_out, mixed_triangles, points, points_with_normals, centimetres, metres, rough,
)  # fmt: skip


def random_turn(rng: Rng, most: float) -> NDArray:
    """A rotation about a random axis by up to `most` radians."""
    return rotation_from_vector(unit(rng.normal(size=3)) * rng.uniform(0, most))
