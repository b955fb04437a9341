"""Skin and wound bed, which a part must not enter."""

import numpy as np
import scipy.sparse as sp

from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import vertex_normals
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.tissue import raise_above_tissue, tissue_mesh


def test_an_outer_face_that_dips_under_the_wound_is_raised_over_it(workshop):
    plate = workshop.plate()
    defect_distance = 4.0 - np.linalg.norm(plate.vertices[:, :2], axis=1)
    outer = OuterSurface(plate, defect_distance, defect_distance + 5.0, None)
    hill = plate.vertices - [0.0, 0.0, 1.5]
    hill[:, 2] += 2.5 * np.exp(-(hill[:, 0] ** 2 + hill[:, 1] ** 2) / 8.0)
    bed = plate.with_vertices(hill)
    raised = raise_above_tissue(outer, bed, np.array([0.0, 0.0, 1.0]), thickness=workshop.thickness)
    over = raised.vertices[:, 2] - bed.vertices[:, 2]
    within = outer.defect_distance > 0
    assert over[within].min() >= workshop.thickness.lip + workshop.thickness.clearance - 1e-6
    assert np.array_equal(raised.vertices[~within], plate.vertices[~within])
    assert raised.vertices[:, 2].max() < 2.0


def test_smoothed_normals_are_unit_and_lean_less_than_those_of_a_noisy_plate(workshop):
    rng = np.random.default_rng(0)
    noisy = workshop.plate(height=lambda x, y: 0.2 * rng.normal(size=len(x)))
    rough, smooth = vertex_normals(noisy.vertices, noisy.faces), smoothed_normals(noisy.vertices, noisy.faces, passes=3)
    assert np.allclose(np.linalg.norm(smooth, axis=1), 1.0)
    assert smooth[:, 2].mean() > rough[:, 2].mean() + 0.005
    assert np.array_equal(smoothed_normals(noisy.vertices, noisy.faces, passes=0), rough)


def test_the_tissue_is_the_skin_outside_the_defect_and_the_wound_bed_under_its_clearance(workshop):
    plate = workshop.plate()
    defect_distance = 4.5 - np.abs(plate.vertices[:, 0])
    skin = OuterSurface(plate, defect_distance, defect_distance + 5.0, sp.identity(len(defect_distance), format="csr"))
    bed = workshop.plate(3.0, z=-5.0)
    tissue = tissue_mesh(skin, bed, 0.25)
    healthy, own = tissue.vertices[: -len(bed.vertices)], tissue.vertices[-len(bed.vertices) :]
    assert np.abs(healthy[:, 0]).min() == 5.0 and np.allclose(own, bed.vertices + [0.0, 0.0, 0.25])
    assert np.array_equal(tissue_mesh(skin, None, 0.25).vertices, healthy)
