"""Self-intersections are found where something moved, and smoothed."""

import numpy as np

from facecom.prosthesis.solid.booleans import intersecting_edges, self_intersections
from facecom.prosthesis.solid.self_intersections import remove_self_intersections


def test_folds_are_mended_and_nothing_else_is_moved(workshop):
    plate = workshop.plate()
    assert remove_self_intersections(plate)[0] is plate
    rng = np.random.default_rng(1)
    folded = plate.vertices.copy()
    near = np.linalg.norm(folded[:, :2] - [2.0, 1.0], axis=1) < 2.5
    folded[near] += rng.normal(scale=1.0, size=(int(near.sum()), 3))
    crossed = plate.with_vertices(folded)
    assert len(intersecting_edges(crossed)) > 5
    mended, moved = remove_self_intersections(crossed)
    assert not len(intersecting_edges(mended))
    assert moved[near].mean() > 0.5 and np.array_equal(mended.vertices[~moved], folded[~moved])
    assert not moved[np.linalg.norm(folded[:, :2] - [2.0, 1.0], axis=1) > 9.0].any()
    again, once_more = remove_self_intersections(crossed, known=moved)
    assert np.allclose(again.vertices, mended.vertices) and np.array_equal(once_more, moved)
    fixed = np.abs(plate.vertices[:, 0]) < 0.5
    assert np.array_equal(remove_self_intersections(crossed, fixed=fixed)[0].vertices[fixed], folded[fixed])


def test_what_moved_is_looked_at_alone_and_misses_nothing(workshop):
    plate, rng = workshop.plate(), np.random.default_rng(3)
    shaken = plate.vertices.copy()
    moved = np.linalg.norm(plate.vertices[:, :2] - [-3.0, 2.0], axis=1) < 3.5
    shaken[moved] += rng.normal(scale=0.9, size=(int(moved.sum()), 3))
    crossed = plate.with_vertices(shaken)
    pairs = lambda found: {(*edge, face) for edge, face in zip(map(tuple, found[0]), found[1], strict=True)}  # noqa: E731
    every = pairs(self_intersections(crossed))
    assert len(every) > 10 and pairs(self_intersections(crossed, moved=moved)) == every
    assert not len(self_intersections(crossed, moved=np.zeros(len(moved), bool))[0])
    assert pairs(self_intersections(crossed, moved=plate.vertices[:, 0] > 2.0)) < every
