"""Borders that are seen whole along an axis, skin that turns out of sight, relief, and designs side by side."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.mesh import Mesh, boundary_loops, face_areas, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.prosthesis.output.comparison import comparison_picture, difference
from facecom.prosthesis.shell.border import crossed, trimmed
from facecom.prosthesis.shell.margin import seen_faces
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.relief import Relief, relief_at
from facecom.prosthesis.solid.booleans import below, simple_loop

UP = np.array([0.0, 0.0, 1.0])


def _grid(u, v, place):
    """A disc: a grid of (u, v) laid out by a function."""
    a, b = (k.ravel() for k in np.meshgrid(u, v, indexing="ij"))
    k = np.arange(len(a)).reshape(len(u), len(v))
    p, q, r, s = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    return Mesh(np.stack(place(a, b), 1), np.concatenate([np.stack([p, q, r], 1), np.stack([p, r, s], 1)]))


def _plate(half=8.0, step=1.0, *, z=0.0):
    ticks = np.arange(-half, half + 0.5 * step, step)
    return _grid(ticks, ticks, lambda x, y: (x, y, np.full_like(x, z)))


def _winding():
    """A band that winds up by a little more than one turn, so that its ends lie over each other."""
    return _grid(
        np.linspace(4, 8, 9), np.linspace(0, 2 * np.pi + 0.5, 80), lambda r, t: (r * np.cos(t), r * np.sin(t), 0.5 * t)
    )


def test_a_border_that_lies_over_itself_is_trimmed_until_a_solid_can_stand_under_it():
    band = _winding()
    loop = boundary_loops(band.faces)[0]
    assert not simple_loop(band.vertices[loop][:, :2])
    with pytest.raises(ValueError, match="crosses itself"):
        below(band, floor=-5.0)
    cut, weights = trimmed(band, UP)
    assert np.allclose(weights @ band.vertices, cut.vertices)
    assert face_areas(cut).sum() > 0.75 * face_areas(band).sum()
    assert not len(intersecting_edges(below(cut, floor=-5.0)))
    opposite = np.abs(np.arctan2(band.vertices[:, 1], -band.vertices[:, 0])) < 1.0
    assert np.isin(np.round(band.vertices[opposite], 9), np.round(cut.vertices, 9)).all()


def test_a_border_that_is_seen_whole_stays_as_it_is():
    plate = _plate()
    assert len(trimmed(plate, UP)[0].faces) == len(plate.faces)


def test_polygons_that_cross_themselves_are_told_from_those_that_do_not():
    rng = np.random.default_rng(0)
    for _ in range(5):
        turn = np.sort(rng.uniform(0, 2 * np.pi, 40))
        star = rng.uniform(2, 5, 40)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
        assert crossed(star).any() == (not simple_loop(star))
    folded = np.array([[0, 0], [4, 0], [4, 4], [1, 4], [1, -1], [0, -1.0]])
    assert crossed(folded)[[0, 1, 3, 4]].all()


def test_a_margin_does_not_follow_skin_that_lies_under_other_skin():
    low, high = _plate(), _plate(3.3, 1.1, z=2.0)
    both = Mesh(
        np.concatenate([low.vertices, high.vertices]), np.concatenate([low.faces, high.faces + len(low.vertices)])
    )
    within = np.zeros(len(both.faces), bool)
    hidden = ~seen_faces(both, within, UP)
    middle = both.vertices[both.faces].mean(1)
    under = (np.abs(middle[:, :2]) < 3.0).all(1) & (middle[:, 2] < 1.0)
    assert np.array_equal(hidden, under) and under.sum() > 20
    # What is made hides nothing: skin under an ear is skin to lie on.
    within[len(low.faces) :] = True
    assert seen_faces(both, within, UP).all()
    # Skin that looks the other way is not seen.
    assert not seen_faces(low, np.zeros(len(low.faces), bool), -UP).any()


def _skin(smooth, height):
    """Relief along the axis on a smooth plate."""
    normals = np.tile(UP, (len(height), 1))
    return SimpleNamespace(smooth=smooth, normals=normals, displacement=height + 0.2, low=np.full(len(height), 0.2))


def test_relief_is_laid_on_what_was_made_and_fades_out_at_its_edge():
    plate = _plate(6.0, 0.5)
    height = 0.1 * np.sin(2.0 * plate.vertices[:, 0])
    inward = 4.0 - np.linalg.norm(plate.vertices[:, :2], axis=1)
    moved, normals = relief_at(inward, plate.vertices, _skin(plate, height))
    assert np.allclose(moved[inward > 1.0], height[inward > 1.0]) and np.allclose(normals, UP)
    assert not moved[inward <= 0].any()
    assert (np.abs(moved) <= np.abs(height) + 1e-12).all()
    assert not relief_at(inward, plate.vertices + [0.0, 0.0, 9.0], _skin(plate, height))[0].any()


def test_relief_gives_way_where_the_face_would_fold_or_cross_itself():
    # A groove so narrow that bumps on its two sides would meet.
    x, y = np.meshgrid(np.arange(-4.0, 4.01, 0.2), np.arange(-4.0, 4.01, 0.2), indexing="ij")
    ticks = x[:, 0]
    groove = _grid(ticks, ticks, lambda a, b: (a, b, -3.0 * np.exp(-((a / 0.25) ** 2))))
    inward = np.full(x.size, 5.0)
    normals = vertex_normals(groove.vertices, groove.faces)
    skin = SimpleNamespace(smooth=groove, normals=normals, displacement=np.full(x.size, 0.5), low=np.zeros(x.size))
    sheet = OuterSurface(groove, inward, inward, sp.identity(x.size, format="csr"))
    asked = groove.with_vertices(groove.vertices + 0.5 * normals)
    assert len(intersecting_edges(asked))
    rough, rms = Relief(skin, np.eye(3), 5.0).on(sheet)
    assert not len(intersecting_edges(rough.mesh)) and 0.3 < rms < 0.5
    away = np.abs(groove.vertices[:, 0]) > 2.0
    assert np.allclose(rough.mesh.vertices[away], asked.vertices[away])
    half, less = Relief(skin, np.eye(3), 5.0).on(sheet, share=0.5)
    assert less < rms and not len(intersecting_edges(half.mesh))


def test_designs_are_compared_with_the_first():
    def of(shift):
        plate = _plate(z=shift)
        return SimpleNamespace(
            shell=plate,
            provenance=np.zeros(len(plate.vertices), int),
            axis=UP,
            to_face=Similarity(np.eye(3), np.zeros(3)),
        )

    first, other = of(0.0), of(0.4)
    found = difference(first, other)
    assert found.mean == pytest.approx(0.4) and found.most == pytest.approx(0.4)
    assert difference(first, first).most == 0.0
    picture = comparison_picture([first, other], size=60)
    assert picture.shape[1] == 120
    assert not np.array_equal(picture[-60:, :60], picture[-60:, 60:])
