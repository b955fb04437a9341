"""Ears: what belongs to one, how it is copied from the other side, and that the part is a solid."""

from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.intersections import intersecting_edges, self_intersections
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.prosthesis import design
from facecom.prosthesis.defect.design_surface import DesignSurface, mirror_region
from facecom.prosthesis.defect.regions import auricle
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.tissue import above_tissue
from facecom.provenance import Provenance


@pytest.fixture(scope="module")
def left(template):
    return auricle(template, "l_ear")


def test_an_ear_is_all_that_stands_off_the_head(template, left):
    right = auricle(template, "r_ear")
    assert (left == right[template.mirror]).mean() > 0.999
    vertices = template.vertices
    own = template.region_mask("l_ear")
    # The helix is the outermost point; lobule and tragus, which the parser's region lacks, lie low in front.
    assert left[np.argmax(vertices[:, 0])]
    lacking = left & ~own
    assert lacking.sum() > 300 and vertices[lacking, 1].mean() < vertices[own, 1].mean() - 10.0
    assert vertices[lacking, 2].mean() > vertices[own, 2].mean() + 5.0
    # Scalp behind the ear is in the parser's region and not in this one.
    assert vertices[left, 2].min() > vertices[own, 2].min() + 3.0
    assert 3000 < left.sum() < 6000


def test_an_ear_is_copied_from_the_other_side_where_that_was_seen(template, left, completion_of):
    face = template.vertices.copy()
    face[left[template.mirror]] += [-3.0, 1.0, 0.0]
    source = DesignSurface.of_face(completion_of(left, face), left)
    copied = mirror_region(source, left)
    assert np.allclose((copied.face - face)[left], [3.0, 1.0, 0.0], atol=0.05)
    assert np.array_equal(copied.face[~left], face[~left])
    assert (copied.provenance == Provenance.MIRRORED).sum() > 0.9 * left.sum()
    both = DesignSurface.of_face(completion_of(left | left[template.mirror], face), left)
    assert mirror_region(both, left) is both


def test_a_copy_meets_skin_that_is_not_symmetric_without_a_step(template, left, completion_of):
    """The left half of the head stands out by up to 2 mm more, most so behind the ear."""
    face = template.vertices.copy()
    side = np.clip(face[:, 0] / 80.0, 0.0, 1.0)[:, None]
    face += side * [2.0, 0.0, 0.0] * np.clip(-face[:, 2:] / 150.0, 0.0, 1.0)
    copied = mirror_region(DesignSurface.of_face(completion_of(left, face), left), left)
    shift = copied.face - face
    edges = template.faces[3][:, :2]
    jump = np.linalg.norm(shift[edges[:, 0]] - shift[edges[:, 1]], axis=1)
    assert jump[left[edges].any(1)].max() < 0.5


def test_what_the_scan_says_of_the_two_sides_is_the_sigma_of_a_copy(template, left, completion_of):
    face = template.vertices.copy()
    rng = np.random.default_rng(0)
    face += rng.normal(scale=0.3, size=(len(face), 1)) * vertex_normals(face, template.faces[3])
    source = mirror_region(DesignSurface.of_face(completion_of(left, face), left), left)
    sigma = source.sigma_mm[source.provenance == Provenance.MIRRORED]
    assert 0.25 < np.median(sigma) < 0.7


def test_the_part_of_an_ear_is_a_solid_that_comes_off(template, left, completion_of):
    made = design(completion_of(left), region="l_ear", grid_mm=1.4)
    i = made.inspection
    solid = trimesh.Trimesh(made.shell.vertices, made.shell.faces, process=False)
    assert solid.is_watertight and solid.volume == pytest.approx(i.volume_mm3, rel=1e-6) and i.volume_mm3 > 2000
    assert len(solid.split(only_watertight=False)) == 1
    assert i.self_crossing_edges == 0 and i.overlap_mm3 < 1e-6
    assert min(i.wall.min, i.rim.min, i.edge.min) >= made.settings.edge_mm
    assert i.undercuts.seat_mm2 < 5.0
    assert i.shares["mirrored"] > 0.6 and i.gap.median == pytest.approx(0.1, abs=0.06)
    for half in (made.mould_a, made.mould_b):
        assert trimesh.Trimesh(half.vertices, half.faces, process=False).is_watertight


def _plate(half=8):
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-half, half + 1.0), np.arange(-half, half + 1.0), indexing="ij"))
    k = np.arange(len(x)).reshape(2 * half + 1, -1)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    return Mesh(np.stack([x, y, 0 * x], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def test_folds_are_mended_and_nothing_else_is_moved():
    plate = _plate()
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


def test_what_moved_is_looked_at_alone_and_misses_nothing():
    plate, rng = _plate(), np.random.default_rng(3)
    shaken = plate.vertices.copy()
    moved = np.linalg.norm(plate.vertices[:, :2] - [-3.0, 2.0], axis=1) < 3.5
    shaken[moved] += rng.normal(scale=0.9, size=(int(moved.sum()), 3))
    crossed = plate.with_vertices(shaken)
    pairs = lambda found: {(*edge, face) for edge, face in zip(map(tuple, found[0]), found[1], strict=True)}  # noqa: E731
    every = pairs(self_intersections(crossed))
    assert len(every) > 10 and pairs(self_intersections(crossed, moved=moved)) == every
    assert not len(self_intersections(crossed, moved=np.zeros(len(moved), bool))[0])
    assert pairs(self_intersections(crossed, moved=plate.vertices[:, 0] > 2.0)) < every


def test_an_outer_face_that_dips_under_the_wound_is_raised_over_it(workshop):
    plate = _plate()
    inward = 4.0 - np.linalg.norm(plate.vertices[:, :2], axis=1)
    around = OuterSurface(plate, inward, inward + 5.0, None)
    hill = plate.vertices - [0.0, 0.0, 1.5]
    hill[:, 2] += 2.5 * np.exp(-(hill[:, 0] ** 2 + hill[:, 1] ** 2) / 8.0)
    bed = plate.with_vertices(hill)
    raised = above_tissue(around, bed, np.array([0.0, 0.0, 1.0]), thickness=workshop.thickness)
    over = raised.vertices[:, 2] - bed.vertices[:, 2]
    within = around.inward > 0
    assert over[within].min() >= workshop.thickness.lip + workshop.thickness.clearance - 1e-6
    assert np.array_equal(raised.vertices[~within], plate.vertices[~within])
    assert raised.vertices[:, 2].max() < 2.0


def test_a_design_moves_with_its_sample(template, left, completion_of):
    source = DesignSurface.of_face(completion_of(left), left)
    shift = np.where(left[:, None], [0.0, 0.5, 0.0], 0.0)
    other = SimpleNamespace(
        evidence=SimpleNamespace(projected=SimpleNamespace(vertices=source.face + shift)),
    )
    moved = source.moved(other)
    assert np.allclose(moved.merged.vertices - source.merged.vertices, shift)
    assert np.allclose(moved.face, source.face + shift)
