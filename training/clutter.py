"""What lies on a face in a scan and is no face: hair, hats, collars, bandages, wounds, glasses. For training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.face_stream import waves

HAIR, HAT, COLLAR, BANDAGE, BED = range(5)
CHANCES = (0.3, 0.08, 0.25, 0.1, 0.1)
HEIGHT_MM = ((2.0, 16.0), (6.0, 20.0), (3.0, 22.0), (1.5, 6.0), (-14.0, -1.5))
ROUGH = ((0.2, 0.9), (0.0, 0.15), (0.0, 0.3), (0.0, 0.15), (0.1, 0.6))
"""Size of the bumps on them, as a share of the height."""
RAMP_MM = ((3.0, 10.0), (0.5, 3.0), (0.5, 3.0), (0.5, 2.0), (2.0, 6.0))
"""Over which they rise from the skin."""
GLASSES_CHANCE = 0.1
LENS_HALF_MM, LENS_CENTRE_MM, TEMPLE_X_MM = ((20.0, 28.0), (14.0, 23.0)), (33.0, 31.0, -24.0), 76.0
TUBE_SIDES, RING_STEPS = 5, 20
FAR_MM = 1e5
"""Where glasses are put that nobody wears."""


def uniform(low: float, high: float, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Uniform numbers."""
    return low + (high - low) * torch.rand(shape, device=random.device, generator=random)


def covered(vertices: Tensor, normals: Tensor, base: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vertices (N, V, 3) with what was put on them, and where that is, (N, V) bool."""
    moved, where = vertices.clone(), torch.zeros(vertices.shape[:2], dtype=torch.bool, device=vertices.device)
    count = len(vertices)
    places = base.expand(count, -1, -1)
    for kind, chance in enumerate(CHANCES):
        worn = uniform(0, 1, (count, 1), random) < chance
        ramp = uniform(*RAMP_MM[kind], (count, 1), random)
        height = uniform(*HEIGHT_MM[kind], (count, 1), random)
        rough = uniform(*ROUGH[kind], (count, 1), random)
        depth = _inside(kind, places, random)
        share = (depth / ramp).clamp(0, 1) * worn
        bumps = waves(vertices, random, shortest_mm=3.0, longest_mm=25.0)
        moved += (share * height * (1 + rough * bumps))[..., None] * normals
        where |= share > 0.3
    return moved, where


def _inside(kind: int, places: Tensor, random: torch.Generator) -> Tensor:
    """How far within the area of one kind of clutter each vertex lies, mm, (N, V); negative outside."""
    count = len(places)
    x, y, z = places.unbind(-1)
    wavy = waves(places, random, shortest_mm=15.0, longest_mm=70.0) * uniform(0, 7, (count, 1), random)
    if kind == HAIR:
        forehead = y - uniform(62, 115, (count, 1), random)
        side = -z - uniform(70, 130, (count, 1), random)
        side = torch.minimum(side, y - uniform(-80, 40, (count, 1), random))
        return torch.maximum(forehead, side) + wavy
    if kind == HAT:
        return y - uniform(50, 110, (count, 1), random) - uniform(-0.4, 0.4, (count, 1), random) * (z + 50) + 0.3 * wavy
    if kind == COLLAR:
        return uniform(-110, -60, (count, 1), random) - y - uniform(0.3, 1.0, (count, 1), random) * (z + 50) + wavy
    # bandages and wounds lie about any point of the face proper
    proper = torch.nonzero((places[0, :, 2] > -80) & (places[0, :, 1].abs() < 90))[:, 0]
    pick = torch.randint(len(proper), (count,), device=places.device, generator=random)
    centre = places[torch.arange(count, device=places.device), proper[pick]]
    return uniform(6, 34, (count, 1), random) - (places - centre[:, None]).norm(dim=-1) + 0.5 * wavy


def glasses(count: int, random: torch.Generator) -> Tensor:
    """Frames (count, G, 3), face frame, mm; far away where nobody wears any."""
    half_x, half_y = (uniform(*r, (count, 1), random) for r in LENS_HALF_MM)
    square = uniform(0.6, 1.0, (count, 1), random)
    angle = torch.linspace(0, 2 * np.pi, RING_STEPS, device=random.device)
    shift = uniform(-5, 5, (count, 3), random)
    cos, sin = (f.sign() * f.abs() ** square for f in (angle.cos().expand(count, -1), angle.sin().expand(count, -1)))
    centre_x, centre_y, centre_z = LENS_CENTRE_MM
    paths = []
    for side in (-1, 1):
        bent = -0.3 * half_x * (cos + 1)
        ring = torch.stack([side * (centre_x + half_x * cos), centre_y + half_y * sin, centre_z + bent], -1)
        steps = torch.linspace(0, 1, RING_STEPS, device=random.device).expand(count, -1)
        start = centre_x + half_x
        temple_x = side * (start + (TEMPLE_X_MM - start) * (4 * steps).clamp(max=1))
        temple = torch.stack([temple_x, centre_y + 4 + 0 * steps, centre_z - 0.6 * half_x - 90 * steps], -1)
        paths += [ring, temple]
    steps = torch.linspace(-1, 1, RING_STEPS, device=random.device).expand(count, -1)
    inner = centre_x - half_x
    paths.append(torch.stack([inner * steps, centre_y + 3 + 2 * (1 - steps**2), centre_z + 0 * steps + 2], -1))
    radius = uniform(0.8, 2.6, (count, 1, 1), random)
    tubes = torch.cat([_tube(path, radius) for path in paths], 1) + shift[:, None]
    worn = uniform(0, 1, (count, 1, 1), random) < GLASSES_CHANCE
    return torch.where(worn, tubes, FAR_MM)


def _tube(path: Tensor, radius: Tensor) -> Tensor:
    """Points (N, S * TUBE_SIDES, 3) around paths (N, S, 3)."""
    along = torch.nn.functional.normalize(torch.gradient(path, dim=1)[0] + 1e-9, dim=-1)
    other = torch.tensor([0.23, 0.31, 0.92], device=path.device).expand_as(along)
    across = torch.nn.functional.normalize(torch.linalg.cross(along, other), dim=-1)
    third = torch.linalg.cross(along, across)
    angle = torch.arange(TUBE_SIDES, device=path.device) * (2 * np.pi / TUBE_SIDES)
    rim = angle.cos()[:, None] * across[:, :, None] + angle.sin()[:, None] * third[:, :, None]
    return (path[:, :, None] + radius[..., None] * rim).flatten(1, 2)


def glasses_triangles() -> np.ndarray:
    """Triangles of all that `glasses` gives, outwards."""
    step, side = np.meshgrid(np.arange(RING_STEPS - 1), np.arange(TUBE_SIDES), indexing="ij")
    a, b = step * TUBE_SIDES + side, step * TUBE_SIDES + (side + 1) % TUBE_SIDES
    quads = np.stack([a, a + TUBE_SIDES, b + TUBE_SIDES, b], -1).reshape(-1, 4)
    one = np.concatenate([quads[:, [0, 2, 1]], quads[:, [0, 3, 2]]])
    return np.concatenate([one + k * RING_STEPS * TUBE_SIDES for k in range(5)])
