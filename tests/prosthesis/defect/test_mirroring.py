"""A region copied from the other side of the face."""

import numpy as np

from facecom.completion.regions import FINEST_LEVEL
from facecom.geometry.mesh import vertex_normals
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.prosthesis.defect.mirroring import mirror_region
from facecom.provenance import Provenance


def test_an_ear_is_copied_from_the_other_side_where_that_was_seen(template, left_ear, completion_of):
    face = template.vertices.copy()
    face[left_ear[template.mirror]] += [-3.0, 1.0, 0.0]
    source = DesignSurface.from_face(completion_of(left_ear, face), left_ear)
    copied = mirror_region(source, left_ear)
    assert np.allclose((copied.face - face)[left_ear], [3.0, 1.0, 0.0], atol=0.05)
    assert np.array_equal(copied.face[~left_ear], face[~left_ear])
    assert (copied.provenance == Provenance.MIRRORED).sum() > 0.9 * left_ear.sum()
    both = DesignSurface.from_face(completion_of(left_ear | left_ear[template.mirror], face), left_ear)
    assert mirror_region(both, left_ear) is both


def test_a_copy_meets_skin_that_is_not_symmetric_without_a_step(template, left_ear, completion_of):
    """The left half of the head stands out by up to 2 mm more, most so behind the ear."""
    face = template.vertices.copy()
    side = np.clip(face[:, 0] / 80.0, 0.0, 1.0)[:, None]
    face += side * [2.0, 0.0, 0.0] * np.clip(-face[:, 2:] / 150.0, 0.0, 1.0)
    copied = mirror_region(DesignSurface.from_face(completion_of(left_ear, face), left_ear), left_ear)
    shift = copied.face - face
    edges = template.faces[FINEST_LEVEL][:, :2]
    jump = np.linalg.norm(shift[edges[:, 0]] - shift[edges[:, 1]], axis=1)
    assert jump[left_ear[edges].any(1)].max() < 0.5


def test_what_the_scan_says_of_the_two_sides_is_the_sigma_of_a_copy(template, left_ear, completion_of):
    face = template.vertices.copy()
    rng = np.random.default_rng(0)
    face += rng.normal(scale=0.3, size=(len(face), 1)) * vertex_normals(face, template.faces[FINEST_LEVEL])
    source = mirror_region(DesignSurface.from_face(completion_of(left_ear, face), left_ear), left_ear)
    sigma = source.sigma_mm[source.provenance == Provenance.MIRRORED]
    assert 0.25 < np.median(sigma) < 0.7
