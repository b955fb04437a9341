"""Which holes a prosthesis can cover."""

import numpy as np
import pytest

from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh, boundary_loops, joined
from facecom.prosthesis.defect.detection import find_defects
from facecom.prosthesis.defect.neighbourhood import neighbourhood
from facecom.prosthesis.shell.margin import cut_margin, smooth_border_surface


def test_several_holes_are_several_defects_unless_their_margins_meet(workshop):
    skin = workshop.skin(0, half=40.0, radius=0.0)
    middle = skin.merged.vertices[skin.merged.faces].mean(1)
    far = (np.hypot(middle[:, 0] - 20, middle[:, 1]) < 7) | (np.hypot(middle[:, 0] + 20, middle[:, 1]) < 8)
    found = find_defects(skin.merged, far, margin_mm=5.0, least_mm2=50.0)
    assert len(found) == 2 and found[0].area_mm2 > found[1].area_mm2
    near = (np.hypot(middle[:, 0] - 11, middle[:, 1]) < 7) | (np.hypot(middle[:, 0] + 11, middle[:, 1]) < 7)
    assert len(find_defects(skin.merged, near, margin_mm=5.0, least_mm2=50.0)) == 1


def test_a_slit_beside_what_was_made_is_no_border_of_the_scan(workshop):
    skin = workshop.skin(0)
    rim = np.intersect1d(skin.merged.faces[skin.in_patch], skin.merged.faces[~skin.in_patch])
    lost = np.flatnonzero((np.isin(skin.merged.faces, rim).sum(1) == 2) & ~skin.in_patch)[:1]
    kept = np.ones(len(skin.in_patch), bool)
    kept[lost] = False
    torn = Mesh(skin.merged.vertices, skin.merged.faces[kept])
    found = find_defects(torn, skin.in_patch[kept], margin_mm=5.0, least_mm2=50.0)
    assert len(found) == 1 and found[0].faces.sum() == skin.in_patch.sum()
    with pytest.raises(ScanError, match="own border"):
        find_defects(torn, skin.in_patch[kept], margin_mm=5.0, least_mm2=50.0, slit_mm=1.0)
    near = neighbourhood(torn, found[0], margin_mm=5.0)
    sheet, _, _ = smooth_border_surface(cut_margin(near, towards=np.array([0.0, 0.0, 1.0])))
    assert len(boundary_loops(sheet.mesh.faces)) == 1


def test_bad_defects_are_refused_with_a_sentence(workshop):
    skin = workshop.skin(0)
    with pytest.raises(ScanError, match="nothing is missing"):
        find_defects(skin.merged, np.zeros_like(skin.in_patch), margin_mm=5.0, least_mm2=10.0)
    with pytest.raises(ScanError, match="too little"):
        find_defects(skin.merged, skin.in_patch, margin_mm=5.0, least_mm2=1e5)
    middle = skin.merged.vertices[skin.merged.faces].mean(1)
    with pytest.raises(ScanError, match="own border"):
        find_defects(skin.merged, middle[:, 0] > 15.0, margin_mm=5.0, least_mm2=10.0)
    defect = find_defects(skin.merged, skin.in_patch, margin_mm=5.0, least_mm2=10.0)[0]
    with pytest.raises(ScanError, match="larger than the face"):
        cut_margin(neighbourhood(skin.merged, defect, margin_mm=20.0), towards=np.array([0.0, 0.0, 1.0]))


def test_of_a_marked_scan_what_was_marked_is_a_defect_and_other_holes_are_none(workshop):
    skin = workshop.skin(0, half=40.0, radius=0.0)
    middle = skin.merged.vertices[skin.merged.faces].mean(1)
    wound, shadow = (np.hypot(middle[:, 0] - x, middle[:, 1]) < 8 for x in (20, -20))
    # The bed lies deeper than the patch, but ends where it does.
    bed = skin.merged.submesh(wound)[0]
    inner = np.ones(len(bed.vertices), bool)
    inner[boundary_loops(bed.faces)[0]] = False
    bed = bed.with_vertices(bed.vertices - 6.0 * inner[:, None] * [0, 0, 1])
    found = find_defects(skin.merged, wound | shadow, margin_mm=5.0, least_mm2=50.0, marked=bed)
    assert len(found) == 1 and np.array_equal(found[0].faces, wound)
    assert len(find_defects(skin.merged, wound | shadow, margin_mm=5.0, least_mm2=50.0)) == 2
    elsewhere = bed.with_vertices(bed.vertices + [0.0, 30.0, 0.0])
    with pytest.raises(ScanError, match="nothing of what was marked is missing"):
        find_defects(skin.merged, wound | shadow, margin_mm=5.0, least_mm2=50.0, marked=elsewhere)
    with pytest.raises(ScanError, match="too little"):
        find_defects(skin.merged, wound | shadow, margin_mm=5.0, least_mm2=1e5, marked=bed)


def test_a_mark_that_reaches_the_border_of_the_scan_is_a_defect_as_far_as_the_scan_showed_it(workshop):
    skin = workshop.skin(0, half=40.0, radius=0.0)
    middle = skin.merged.vertices[skin.merged.faces].mean(1)
    # The scan ends at x = 20; a wound beside that border was marked right up to it, and all beyond was never scanned.
    beyond, wound = middle[:, 0] > 20, np.hypot(middle[:, 0] - 14, middle[:, 1]) < 12
    bed, healthy = (skin.merged.submesh(part)[0] for part in (wound & ~beyond, ~wound & ~beyond))
    inner = np.ones(len(bed.vertices), bool)
    inner[boundary_loops(bed.faces)[0]] = False
    bed = bed.with_vertices(bed.vertices - 2.0 * inner[:, None] * [0, 0, 1])
    told = {"margin_mm": 5.0, "least_mm2": 50.0, "marked": bed}
    with pytest.raises(ScanError):
        find_defects(skin.merged, wound | beyond, **told)
    found = find_defects(skin.merged, wound | beyond, **told, scan=joined(healthy, bed))
    assert len(found) == 1
    missed, more = wound & ~beyond & ~found[0].faces, found[0].faces & ~(wound & ~beyond)
    # Within two triangles of where the scan ends.
    assert np.all(middle[missed, 0] > 20.0 - 4.0) and np.all(middle[more, 0] < 20.0 + 4.0)
    assert not (found[0].faces & ~wound & ~beyond).any()
