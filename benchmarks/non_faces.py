"""Things that are no face, made by script: solids, fields, living things without a face, and heads without one.

`things(number, seed)` yields them, the kinds in turn, each of another shape, size and pose, half of them with a part
cut away, all with dents and 0.1 mm of noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facecom.errors import need
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator

Rng = np.random.Generator
Part = tuple[ArrayLike, ArrayLike]


def ball(rng: Rng, stretch: float = 0.0) -> Mesh:
    """A sphere, or an ellipsoid with axes that differ by up to `stretch`."""
    made = need("trimesh").creation.icosphere(5)
    return Mesh(made.vertices * (1 + rng.uniform(0, stretch, 3)), made.faces)


def ellipsoid(rng: Rng) -> Mesh:
    """An egg, a potato."""
    mesh = ball(rng, 1.2)
    return mesh.with_vertices(mesh.vertices + 0.15 * _waves(rng, mesh.vertices, 2.0)[:, None] * mesh.vertices)


def box(rng: Rng) -> Mesh:
    """A box with sharp edges."""
    return _rounded(rng, 60.0)


def rounded_box(rng: Rng) -> Mesh:
    """A box with round edges: a superellipsoid."""
    return _rounded(rng, rng.uniform(2.5, 8))


def _rounded(rng: Rng, power: float) -> Mesh:
    mesh = ball(rng)
    length = np.sum(np.abs(mesh.vertices) ** power, axis=1) ** (1 / power)
    return mesh.with_vertices(mesh.vertices / length[:, None] * rng.uniform(0.4, 1, 3))


def ring(rng: Rng) -> Mesh:
    """A torus."""
    made = need("trimesh").creation.torus(1.0, rng.uniform(0.15, 0.6), major_sections=120, minor_sections=60)
    return Mesh(made.vertices, made.faces)


def vase(rng: Rng) -> Mesh:
    """A surface of revolution, open at the top: vases and bottles."""
    height = np.linspace(0, 1, 90)
    radius = 0.3 + 0.12 * sum(np.sin(rng.uniform(2, 12) * height + rng.uniform(0, 6)) for _ in range(3)) / 1.5
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    rows = np.stack([np.outer(radius, np.cos(turn)), np.outer(radius, np.sin(turn)), np.outer(height, 0 * turn + 1)], 2)
    return Mesh(rows.reshape(-1, 3), _grid_faces(90, 120, closed=True)[:, ::-1])


def mug(rng: Rng) -> Mesh:
    """A mug with a handle, full to the brim."""
    rim, reach = rng.uniform(0.35, 0.5), rng.uniform(0.15, 0.3)
    body = [((0, 0, z), (rim, rim, 0.12)) for z in np.linspace(0, 1, 14)]
    turn = np.linspace(-1.4, 1.4, 14)
    handle = [((rim + reach * np.cos(a), 0, 0.5 + 0.33 * np.sin(a)), (0.07, 0.08, 0.07)) for a in turn]
    return joined([*body, *handle])


def bunny(rng: Rng) -> Mesh:
    """A head with ears on a body with legs."""
    parts: list[Part] = [
        ((0, 0, 0), (0.6, 0.5, 0.7)),
        ((0, 0.55, 0.45), (0.33, 0.36, 0.34)),
        ((0, 0.8, 0.35), (0.1, 0.12, 0.1)),
    ]
    for side in (-1, 1):
        parts += [((0.14 * side, 0.5, 0.95), (0.09, 0.06, 0.38)), ((0.35 * side, 0.45, -0.5), (0.16, 0.3, 0.14))]
    return joined(varied(rng, parts, shift=0.05, stretch=0.3))


def animal(rng: Rng) -> Mesh:
    """A statue: trunk, neck, head, snout, four legs, tail."""
    parts: list[Part] = [
        ((0, 0, 0), (0.35, 0.8, 0.4)),
        ((0, 0.75, 0.4), (0.18, 0.22, 0.4)),
        ((0, 0.95, 0.75), (0.22, 0.3, 0.22)),
    ]
    parts += [((0, 1.25, 0.68), (0.12, 0.25, 0.12)), ((0, -0.9, 0.2), (0.07, 0.4, 0.07))]
    parts += [((0.22 * x, 0.5 * y, -0.55), (0.11, 0.12, 0.5)) for x in (-1, 1) for y in (-1, 1)]
    return joined(varied(rng, parts, shift=0.06, stretch=0.35))


def beast_head(rng: Rng) -> Mesh:
    """A dog's, cat's or bear's head: skull, snout with a nose, eyes, ears that stand or hang, neck."""
    long = rng.uniform(0.3, 0.9)
    parts: list[Part] = [((0, 0, 0), (0.6, 0.6, 0.6)), ((0, -0.15, 0.5), (0.28, 0.24, long))]
    parts += [((0, -0.05, 0.45 + long), (0.12, 0.1, 0.1)), ((0, -0.7, -0.35), (0.45, 0.8, 0.45))]
    for side in (-1, 1):
        parts += [((0.24 * side, 0.2, 0.48), (0.09, 0.09, 0.09)), ((0.3 * side, -0.2, 0.3), (0.25, 0.22, 0.25))]
        parts += [((0.42 * side, rng.choice([0.6, -0.1]), -0.1), (0.16, 0.36, 0.09))]
    return joined(varied(rng, parts, shift=0.03, stretch=0.2))


def hand(rng: Rng) -> Mesh:
    """A palm with five fingers, each a chain of stretched balls."""
    parts: list[Part] = [((0, 0, 0), (0.42, 0.48, 0.16))]
    for k, angle in enumerate(np.radians([-60, -18, -5, 8, 22]) + rng.normal(0, 0.08, 5)):
        base, along = np.array([-0.4 + 0.2 * k, 0.35 - 0.4 * (k == 0), 0]), np.array([np.sin(angle), np.cos(angle), 0])
        bend = rng.uniform(0, 0.25)
        for step in range(6):
            parts.append((base + along * 0.11 * step + [0, 0, bend * (step / 5) ** 2], (0.1, 0.12, 0.09)))
    return joined(varied(rng, parts, shift=0.0, stretch=0.1))


def foot(rng: Rng) -> Mesh:
    """Heel, instep, ball, five toes and the lower leg."""
    parts: list[Part] = [((0, 0, 0), (0.3, 0.35, 0.3)), ((0, 0.45, 0.05), (0.28, 0.55, 0.25))]
    parts += [((0, 0.9, -0.08), (0.38, 0.35, 0.18)), ((0, -0.05, 0.8), (0.25, 0.28, 0.9))]
    parts += [((-0.28 + 0.14 * k, 1.25 - 0.05 * k, -0.12), (0.09 - 0.007 * k, 0.18, 0.09)) for k in range(5)]
    return joined(varied(rng, parts, shift=0.02, stretch=0.15))


def pebbles(rng: Rng) -> Mesh:
    """A heap of six to fourteen stretched balls."""
    number = rng.integers(6, 15)
    return joined([(rng.normal(0, 0.45, 3), rng.uniform(0.15, 0.6, 3)) for _ in range(number)])


def terrain(rng: Rng) -> Mesh:
    """A height field with hills of several sizes."""
    return _height_field(rng, (0.7, 1.5, 3.0, 6.0), rng.uniform(0.1, 0.4))


def noise_field(rng: Rng) -> Mesh:
    """A height field without long waves."""
    return _height_field(rng, (8.0, 14.0), rng.uniform(0.03, 0.1))


def crumpled(rng: Rng) -> Mesh:
    """A bent sheet with sharp folds."""
    mesh = _height_field(rng, (1.0,), 0.3)
    fold = sum(np.abs(_waves(rng, mesh.vertices, rng.uniform(1, 4))) for _ in range(4))
    return mesh.with_vertices(mesh.vertices + np.outer(fold, [0, 0, rng.uniform(0.03, 0.12)]))


def mannequin(rng: Rng) -> Mesh:
    """Trunk with shoulders, stumps of arms, neck, and an egg for a head."""
    parts: list[Part] = [
        ((0, 0, 0), (0.4, 0.6, 0.25)),
        ((0, 0.4, 0), (0.5, 0.2, 0.2)),
        ((0, 0.75, 0), (0.13, 0.3, 0.13)),
    ]
    parts += [((0, 1.1, 0.03), (0.18, 0.25, 0.22)), ((0, -0.55, 0), (0.38, 0.3, 0.25))]
    parts += [((0.55 * side, 0.1, 0), (0.12, 0.4, 0.13)) for side in (-1, 1)]
    return joined(varied(rng, parts, shift=0.015, stretch=0.12))


def blank_head(rng: Rng) -> Mesh:
    """A head as shops have them for hats: skull, jaw, neck and ears in their places, and no feature in front."""
    return joined(varied(rng, _skull(rng.uniform(-0.25, 0.1)), shift=0.015, stretch=0.08))


def back_of_head(rng: Rng) -> Mesh:
    """Skull with ears, neck and shoulders from behind, with waves of hair and at times a bun."""
    parts = [*_skull(0.0), ((0, -1.75, -0.15), (1.5, 0.45, 0.6))]
    if rng.random() < 0.5:
        parts.append(((0, rng.uniform(0, 0.6), -1.1), (0.3, 0.3, 0.3)))
    head = joined(varied(rng, parts, shift=0.015, stretch=0.08))
    hair = 0.03 * _waves(rng, head.vertices, rng.uniform(3, 8)) * (head.vertices[:, 1] > -0.6)
    head = head.with_vertices(head.vertices + hair[:, None] * vertex_normals(head.vertices, head.faces))
    return _where(head, head.vertices[:, 2] < rng.uniform(-0.1, 0.25))


def _skull(jaw: float) -> list[Part]:
    """Skull, jaw, neck and ears; about 85 mm to the unit."""
    parts: list[Part] = [((0, 0.3, 0), (0.88, 1.0, 1.1)), ((0, -0.35, 0.45 + jaw), (0.68, 0.85, 0.6))]
    parts += [((0, -1.2, -0.15), (0.62, 0.9, 0.62))]
    return parts + [((0.88 * side, 0.0, -0.1), (0.1, 0.36, 0.24)) for side in (-1, 1)]


def ear(rng: Rng) -> Mesh:
    """One true ear with some skin around it, off a face of the model."""
    template = LinearGenerator.load().template
    head = LinearGenerator.load().sample(int(rng.integers(2**31)), level=2)
    own = template.region_mask(str(rng.choice(["l_ear", "r_ear"])), 2)
    gap = np.linalg.norm(head.vertices - head.vertices[own].mean(0), axis=1)
    side = np.sign(head.vertices[own, 0].mean()) * head.vertices[:, 0] > 0
    return _where(head, side & (gap < rng.uniform(38, 50)))


def cut_off_face(rng: Rng) -> Mesh:
    """Scalp, ears, neck and temples off a face of the model, all of the face proper cut away."""
    head = LinearGenerator.load().sample(int(rng.integers(2**31)), level=2)
    x, y, z = head.vertices.T
    return _where(head, (np.hypot(x, y - 10.0) > 80.0) | (z < -rng.uniform(75, 95)))


def _where(mesh: Mesh, kept: NDArray) -> Mesh:
    return mesh.submesh(np.all(np.asarray(kept)[mesh.faces], axis=1))[0]


def _height_field(rng: Rng, frequencies: tuple[float, ...], height: float) -> Mesh:
    y, x = np.mgrid[-1:1:110j, -1:1:110j]
    flat = np.stack([x.ravel(), y.ravel() * rng.uniform(0.7, 1.3), np.zeros(x.size)], 1)
    flat[:, 2] = height * sum(_waves(rng, flat, f) / np.sqrt(f) for f in frequencies)
    return Mesh(flat, _grid_faces(110, 110, closed=False))


def _grid_faces(rows: int, columns: int, *, closed: bool) -> NDArray:
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], right[:-1], right[1:], index[1:]
    if not closed:
        a, b, c, d = (part[:, :-1] for part in (a, b, c, d))
    return np.concatenate([np.stack([part.ravel() for part in three], 1) for three in ((a, b, c), (a, c, d))])


def _waves(rng: Rng, points: NDArray, frequency: float) -> NDArray:
    """A smooth random function of about unit height."""
    numbers = rng.normal(size=(12, 3)) * frequency
    return np.sin(points @ numbers.T + rng.uniform(0, 2 * np.pi, 12)).sum(1) / np.sqrt(6)


def varied(rng: Rng, parts: list[Part], *, shift: float, stretch: float) -> list[Part]:
    """Ellipsoids (centre, radii) moved by about `shift` and made larger or smaller by up to `stretch`."""
    return [
        (np.array(c, float) + rng.normal(0, shift, 3), np.array(r) * rng.uniform(1 - stretch, 1 + stretch, 3))
        for c, r in parts
    ]


def joined(parts: list[Part], *, edge: float = 0.05) -> Mesh:
    """Union of ellipsoids (centre, radii), with edges no longer than `edge`."""
    manifold: Any = need("manifold3d", extra="prosthesis")
    balls = [
        manifold.Manifold.sphere(1.0, 48).scale(np.asarray(r, float).tolist()).translate(np.asarray(c, float).tolist())
        for c, r in parts
    ]
    made = manifold.Manifold.batch_boolean(balls, manifold.OpType.Add).refine_to_length(edge).to_mesh()
    return Mesh(np.asarray(made.vert_properties)[:, :3], made.tri_verts)


KINDS: tuple[Callable[[Rng], Mesh], ...] = (
    ball, ellipsoid, box, rounded_box, ring, vase, mug, terrain, noise_field, crumpled, pebbles,
    hand, foot, bunny, animal, beast_head, mannequin, blank_head, back_of_head, ear, cut_off_face,
)  # fmt: skip
SIZES_MM = {"mannequin": (500, 1000), "blank_head": (260, 340), "back_of_head": (300, 480), "beast_head": (150, 400)}
TRUE_SIZE = ("ear", "cut_off_face")
"""The largest side of a thing's box is drawn from 100 to 350 mm but for these, and for what is cut off a head."""


def thing(k: int, seed: int) -> tuple[str, Mesh]:
    """Number k of the things of a seed, mm, and its kind."""
    rng = np.random.default_rng([seed, k])
    kind = KINDS[k % len(KINDS)]
    mesh, name = kind(rng), kind.__name__
    if name not in TRUE_SIZE:
        size = rng.uniform(*SIZES_MM.get(name, (100, 350)))
        mesh = mesh.with_vertices(mesh.vertices * size / np.ptp(mesh.vertices, axis=0).max())
    mesh = roughened(rng, mesh, rng.uniform(0, 3) * (name not in TRUE_SIZE))
    if name not in TRUE_SIZE and rng.random() < 0.5:
        mesh = _opened(rng, mesh)
    turn = rotation_from_vector(rng.normal(size=3) * 2)
    return name, mesh.with_vertices(Similarity(turn, rng.uniform(-200, 200, 3)).apply(mesh.vertices))


def things(number: int, seed: int) -> Iterator[tuple[str, Mesh]]:
    """The first `number` things of a seed."""
    return (thing(k, seed) for k in range(number))


def roughened(rng: Rng, mesh: Mesh, height_mm: float) -> Mesh:
    """The surface with dents of that height and 0.1 mm of noise."""
    bump = height_mm * _waves(rng, mesh.vertices, 0.05)
    moved = mesh.vertices + bump[:, None] * vertex_normals(mesh.vertices, mesh.faces)
    return mesh.with_vertices(moved + rng.normal(0, 0.1, moved.shape))


def _opened(rng: Rng, mesh: Mesh) -> Mesh:
    """What lies on one side of a plane near the middle, as a scan from one side has it."""
    along = mesh.vertices @ rng.normal(size=3)
    return _where(mesh, along > np.quantile(along, rng.uniform(0.1, 0.6)))
