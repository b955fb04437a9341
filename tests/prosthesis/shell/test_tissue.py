"""Skin and wound bed, which a part must not enter."""

import numpy as np

from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.tissue import raise_above_tissue


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
