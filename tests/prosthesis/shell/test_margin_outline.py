"""The outline of a part is drawn anew around what is lost."""

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import face_areas
from facecom.prosthesis.defect.detection import find_defects
from facecom.prosthesis.defect.neighbourhood import neighbourhood
from facecom.prosthesis.shell.margin_outline import MarginOutline

UP = np.array([0.0, 0.0, 1.0])


def test_the_border_goes_around_what_is_lost(workshop):
    skin = workshop.skin(2)
    defect = find_defects(skin.merged, skin.in_patch, margin_mm=5.0, least_mm2=100.0)[0]
    near = neighbourhood(skin.merged, defect, margin_mm=5.0)
    outline = MarginOutline(near, skin.merged.vertices, workshop.thickness, bed=None, clearance_mm=0.1, towards=UP)
    first = outline.surfaces().outer
    lost = np.zeros(len(first.border_distance), bool)
    lost[first.border[:3]] = True
    place = first.weights[lost] @ skin.merged.vertices
    again = outline.redrawn_without(first, lost).outer
    skin_under = again.weights @ skin.merged.vertices
    assert cKDTree(skin_under).query(place)[0].min() > 0.2
    assert workshop.jaggedness(skin_under[again.border]) < 0.4
    assert face_areas(again.mesh).sum() > 0.9 * face_areas(first.mesh).sum()
