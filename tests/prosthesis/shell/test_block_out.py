"""The tissue blocked out along the withdrawal axis: none of it stands out, and its narrow grooves are filled."""

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, joined
from facecom.prosthesis.shell.block_out import blocked_out, tissue_under
from facecom.prosthesis.solid.booleans import to_mesh

SPACING, BALL = 0.2, 0.36


def top_at(solid, places):
    """Height of a solid at places of the plane, (N,)."""
    start = np.column_stack([places, np.full(len(places), 20.0)])
    return 20.0 - Surface(to_mesh(solid)).cast(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape)).depth


def inner(mesh: Mesh, half: float) -> np.ndarray:
    return np.abs(mesh.vertices[:, :2]).max(1) < half


@pytest.mark.parametrize("seed", range(3))
def test_smooth_tissue_is_followed(workshop, seed):
    a, b = np.random.default_rng(seed).uniform(0.3, 0.7, 2)
    tissue = workshop.plate(8.0, 0.5, height=lambda x, y: np.sin(a * x) * np.cos(b * y))
    solid = blocked_out(tissue, tissue, floor=-4.0, spacing=SPACING, ball_mm=BALL)
    at = tissue.vertices[inner(tissue, 7.5)]
    assert np.abs(top_at(solid, at[:, :2]) - at[:, 2]).max() < 0.06


@pytest.mark.parametrize("seed", range(3))
def test_no_steep_or_ragged_tissue_stands_out_of_it(workshop, seed):
    rng = np.random.default_rng(seed)
    # Banks and pits with walls of 80 degrees, and a hole in the scan with a ragged border.
    steps = lambda x, y: 2.0 * np.tanh(3.0 * np.sin(0.9 * x + 0.4 * y)) + 0.3 * np.sin(y)  # noqa: E731
    tissue = workshop.plate(8.0, 0.25, height=steps)
    middle = tissue.vertices[tissue.faces].mean(1)
    hole = np.hypot(*(middle[:, :2] - rng.uniform(-3, 3, 2)).T) < 2.0 + rng.uniform(0, 0.4, len(middle))
    scan = tissue.submesh(~hole)[0]
    solid = blocked_out(scan, scan, floor=-6.0, spacing=SPACING, ball_mm=BALL)
    corners = scan.vertices[scan.faces]
    points = np.einsum("pk,fkd->pfd", rng.dirichlet(np.ones(3), 3), corners).reshape(-1, 3)
    points = points[np.abs(points[:, :2]).max(1) < 7.5]
    over = points[points[:, 2] > top_at(solid, points[:, :2]) + 0.02]
    # What is above it is above it by next to nothing, measured to its surface.
    assert not len(over) or Surface(to_mesh(solid)).closest(over).distance.max() < 0.06
    # And it fills no more of the hole than two cells beside the border.
    places = rng.uniform(-7, 7, (4000, 2))
    floorward = top_at(solid, places) < -5.0
    assert floorward.any()
    from_scan = Surface(scan.with_vertices(scan.vertices * [1, 1, 0])).closest(
        np.column_stack([places, 0 * places[:, :1]])
    )
    assert floorward[from_scan.distance > 3.5 * SPACING].all()


def test_a_narrow_groove_is_filled_and_a_wide_one_is_not(workshop):
    bank = lambda x0, x1: Mesh([[x0, -5, 0], [x1, -5, 0], [x1, 5, 0], [x0, 5, 0]], [[0, 1, 2], [0, 2, 3]])  # noqa: E731
    bottom = workshop.plate(9.0, z=-3.0)
    scan = joined(joined(joined(bank(-8, -3.2), bank(-2.8, 2.0)), bank(5.0, 8.0)), bottom)
    solid = blocked_out(scan, workshop.plate(7.0), floor=-5.0, spacing=SPACING, ball_mm=BALL)
    y = np.linspace(-4, 4, 30)
    narrow, wide = (top_at(solid, np.column_stack([np.full(30, x), y])) for x in (-3.0, 3.5))
    assert narrow.min() > -0.4 and wide.max() < -2.9


def test_tissue_beside_the_part_is_left_out(workshop):
    scan, part = workshop.plate(20.0), workshop.plate(5.0)
    near = tissue_under(scan, part)
    reach = np.abs(near.vertices[:, :2]).max()
    assert 6.0 <= reach < 10.0
