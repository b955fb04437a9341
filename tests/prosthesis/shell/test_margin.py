"""Where a part ends on healthy skin: a smooth line, set back from openings, and never in a cavity."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Mesh, boundary_loops, face_areas
from facecom.prosthesis.defect.neighbourhood import Neighbourhood, neighbourhood
from facecom.prosthesis.shell.margin import Cavity, Margin, drawn_sheet, margin_around, plain_sheet
from facecom.prosthesis.shell.outer import MarginOutline
from facecom.prosthesis.shell.outer_surface import find_defects
from facecom.prosthesis.solid.clipping import closed_inside, divided, outer_loop

UP = np.array([0.0, 0.0, 1.0])


def _plate(half=20.0, step=1.0, *, z=0.0, height=None):
    ticks = np.arange(-half, half + 0.5 * step, step)
    x, y = (a.ravel() for a in np.meshgrid(ticks, ticks, indexing="ij"))
    k = np.arange(len(x)).reshape(len(ticks), -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    depth = np.full(len(x), z) if height is None else height(x, y)
    return Mesh(np.stack([x, y, depth], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def _near(mesh, made, *, whole=None):
    return Neighbourhood(mesh, made, sp.identity(len(mesh.vertices), format="csr"), 5.0, 3.0, whole)


def _jags(points):
    """Largest distance of a closed line from itself smoothed over 2.4 mm, mm."""
    step = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    way = np.concatenate([[0.0], np.cumsum(step)])
    at = np.linspace(0.0, way[-1], int(way[-1] / 0.1), endpoint=False)
    even = np.stack([np.interp(at, way, np.append(points[:, k], points[0, k])) for k in range(3)], axis=1)
    smooth = np.mean([np.roll(even, k, axis=0) for k in range(-12, 13)], axis=0)
    return float(np.linalg.norm(even - smooth, axis=1).max())


@pytest.fixture(scope="module")
def jagged(workshop):
    """A band around a hole with teeth 5 mm deep."""
    mesh = _plate()
    middle = mesh.vertices[mesh.faces].mean(1)
    turn = np.arctan2(middle[:, 1], middle[:, 0])
    made = np.hypot(middle[:, 0], middle[:, 1]) < 6.0 + 2.5 * np.sign(np.sin(6 * turn))
    return margin_around(_near(mesh, made), towards=UP)


def test_the_border_is_smooth_where_the_defect_is_jagged(jagged):
    sheet, whole, own = drawn_sheet(jagged)
    assert np.allclose(own @ whole.mesh.vertices, sheet.mesh.vertices)
    rough = plain_sheet(jagged)
    border, before = sheet.mesh.vertices[sheet.loop], rough.mesh.vertices[rough.loop]
    assert _jags(before) > 0.25 and _jags(border) < 0.15
    assert (-sheet.inward[sheet.loop]).min() > 4.6
    assert np.abs(sheet.rim[sheet.loop]).max() < 1e-9 and sheet.rim.min() >= 0.0
    away = cKDTree(border).query(sheet.mesh.vertices)[0]
    assert np.abs(away - sheet.rim)[sheet.rim < 6.0].max() < 0.3


def test_the_border_keeps_a_distance_from_where_the_band_ends():
    # Cut off jaggedly 3 mm beside a round hole, as at the edge of a lip.
    mesh = _plate()
    middle = mesh.vertices[mesh.faces].mean(1)
    mesh, _ = mesh.submesh(middle[:, 1] > -9.0 + np.sign(np.sin(3.0 * middle[:, 0])))
    middle = mesh.vertices[mesh.faces].mean(1)
    inward = 6.0 - np.hypot(*mesh.vertices[:, :2].T)
    part, weights = mesh.submesh((inward > -8.0)[mesh.faces].all(1))
    band = Margin(part, inward[weights], sp.identity(len(weights), format="csr"), 5.0, 3.0)
    sheet, _, _ = drawn_sheet(band, setback_mm=1.0)
    border = sheet.mesh.vertices[sheet.loop]
    ends = part.vertices[outer_loop(part)]
    lower = ends[ends[:, 1] < -7.0]
    assert 0.8 < cKDTree(lower).query(border)[0].min() < 1.6
    assert _jags(ends) > 0.5 and _jags(border) < 0.25
    assert len(boundary_loops(sheet.mesh.faces)) == 1


def test_the_border_goes_around_what_is_lost(workshop):
    skin = workshop.skin(2)
    defect = find_defects(skin.merged, skin.made, margin_mm=5.0, least_mm2=100.0)[0]
    near = neighbourhood(skin.merged, defect, margin_mm=5.0)
    drawing = MarginOutline(near, skin.merged.vertices, workshop.thickness, bed=None, clearance_mm=0.1, towards=UP)
    first = drawing.outer().sheet
    lost = np.zeros(len(first.rim), bool)
    lost[first.loop[:3]] = True
    place = first.weights[lost] @ skin.merged.vertices
    again = drawing.without(first, lost).sheet
    skin_under = again.weights @ skin.merged.vertices
    assert cKDTree(skin_under).query(place)[0].min() > 0.2
    assert _jags(skin_under[again.loop]) < 0.4
    assert face_areas(again.mesh).sum() > 0.9 * face_areas(first.mesh).sum()


def test_skin_within_the_head_and_in_clefts_is_no_skin_to_lie_on():
    face, socket = _plate(10.0), _plate(3.5, z=-4.0)
    mesh = Mesh(
        np.concatenate([face.vertices, socket.vertices]),
        np.concatenate([face.faces, socket.faces + len(face.vertices)]),
    )
    made = np.zeros(len(mesh.faces), bool)
    made[: len(face.faces)] = (np.abs(face.vertices[face.faces].mean(1)[:, :2]) < 5.0).all(1)
    behind = np.arange(len(mesh.faces)) >= len(face.faces)
    hollow = Cavity.of(_near(mesh, made, whole=mesh), UP)
    assert hollow.closed[behind].all() and hollow.hidden[behind].all() and not hollow.closed[~behind].any()
    # Without a look for cavities, as for an ear, skin behind what was made is skin to lie on.
    assert not Cavity.of(_near(mesh, made), UP).closed.any()
    cleft = _plate(10.0, 0.5, height=lambda x, y: -6.0 * np.exp(-((x / 0.4) ** 2)))
    deep = Cavity.of(_near(cleft, np.zeros(len(cleft.faces), bool), whole=cleft), UP).closed
    place = np.abs(cleft.vertices[cleft.faces].mean(1)[:, 0])
    assert deep[place < 0.4].any() and not deep[place > 2.0].any()


def _bag(opening, radius):
    """A plate of which the middle lines a ball under a round opening."""
    plate = _plate(20.0, 0.5)
    far = np.maximum(np.hypot(plate.vertices[:, 0], plate.vertices[:, 1]), 1e-9)
    first = np.arcsin(opening / radius)
    polar = first + (np.pi - first) * np.clip(1.0 - far / opening, 0.0, 1.0)
    within = far < opening
    place = plate.vertices * np.where(within, radius * np.sin(polar) / far, 1.0)[:, None]
    return plate.with_vertices(place + np.outer(np.where(within, radius * (np.cos(polar) - np.cos(first)), 0.0), UP))


@pytest.mark.parametrize(("opening", "radius", "followed"), [(4.0, 8.0, False), (3.0, 3.2, True)])
def test_a_part_follows_a_nostril_and_spans_a_socket(opening, radius, followed):
    mesh = _bag(opening, radius)
    made = np.hypot(*mesh.vertices[mesh.faces].mean(1)[:, :2].T) < 9.0
    band = margin_around(_near(mesh, made, whole=mesh), towards=UP)
    assert (band.mesh.vertices[:, 2].min() < -0.8 * radius) == followed
    assert len(boundary_loops(band.mesh.faces)) == 1 and (-band.inward).max() > 7.0


def test_a_long_jagged_slit_is_not_the_outer_border():
    plate = _plate(6.0, 0.5)
    turn = np.arctan2(plate.vertices[:, 1], plate.vertices[:, 0])
    far = np.hypot(plate.vertices[:, 0], plate.vertices[:, 1])
    wall = plate.with_vertices(plate.vertices + np.outer(30.0 * np.exp(-((far - 3.0) ** 2)) * np.sin(8 * turn), UP))
    middle = far[wall.faces].mean(1)
    torn, _ = wall.submesh((middle < 2.0) | (np.abs(middle - 3.0) > 0.7))
    torn, _ = torn.submesh(np.hypot(*torn.vertices[torn.faces].mean(1)[:, :2].T) > 2.5)
    closed, _ = closed_inside(torn, sp.identity(len(torn.vertices), format="csr"))
    assert len(boundary_loops(closed.faces)) == 1
    assert np.abs(closed.vertices[outer_loop(closed), :2]).max(1).min() > 5.9


def test_what_is_divided_is_still_all_there():
    plate = _plate(4.0, 0.7)
    values = np.hypot(plate.vertices[:, 0] - 0.3, plate.vertices[:, 1])
    both, weights, within = divided(plate, values, 2.0)
    assert np.allclose(weights @ plate.vertices, both.vertices)
    assert face_areas(both).sum() == pytest.approx(face_areas(plate).sum())
    assert len(boundary_loops(both.faces)) == 1
    inner = both.vertices[np.unique(both.faces[within])]
    assert np.hypot(inner[:, 0] - 0.3, inner[:, 1]).max() < 2.1 and face_areas(both)[within].sum() > 0.9 * 4 * np.pi
