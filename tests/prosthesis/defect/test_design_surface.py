"""The surface that a part is designed on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.completion.regions import FINEST_LEVEL, region_mask
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.prosthesis.defect.design_surface import DesignSurface, select_defect, without_ear, without_region


def test_a_design_moves_with_its_sample(template, left_ear, completion_of):
    source = DesignSurface.from_face(completion_of(left_ear), left_ear)
    shift = np.where(left_ear[:, None], [0.0, 0.5, 0.0], 0.0)
    other = SimpleNamespace(
        context=SimpleNamespace(projection=SimpleNamespace(vertices=source.face + shift)),
    )
    moved = source.with_completion(other)
    assert np.allclose(moved.merged.vertices - source.merged.vertices, shift)
    assert np.allclose(moved.face, source.face + shift)


def test_the_pose_takes_the_scans_own_unit_to_the_face_frame(template, left_ear, completion_of):
    completion = completion_of(left_ear)
    in_mm = DesignSurface.from_face(completion, left_ear)
    in_metres = replace(in_mm, mm_per_unit=1000.0)
    points = np.random.default_rng(0).normal(scale=0.1, size=(5, 3))
    to_face = completion.context.fit.pose
    assert np.array_equal(in_mm.pose.matrix(), to_face.matrix())
    assert np.allclose(in_metres.pose.apply(points), to_face.apply(1000.0 * points))


def test_the_hash_tells_surfaces_apart(left_ear, completion_of):
    source = DesignSurface.from_face(completion_of(left_ear), left_ear)
    assert source.sha256() == replace(source, cavities=True).sha256()
    others = [
        replace(source, in_patch=~source.in_patch),
        replace(source, bed=source.merged),
        replace(source, sigma_mm=source.sigma_mm + 1e-9),
    ]
    assert len({source.sha256(), *(other.sha256() for other in others)}) == 4


def test_a_region_that_is_the_scan_or_that_the_scan_lacks_is_not_taken_out(template, completion_of):
    nose = region_mask(template, "nose")
    lacking = completion_of(nose)
    assert without_region(lacking, "nose").completion is lacking
    only_nose, _ = Mesh(template.vertices, template.faces[FINEST_LEVEL]).submesh(
        nose[template.faces[FINEST_LEVEL]].all(1)
    )
    with pytest.raises(ScanError, match="nothing but the region 'nose'"):
        without_region(completion_of(np.zeros(len(nose), bool), scanned=only_nose), "nose")


def test_defects_are_selected_by_number_or_by_region(template, completion_of):
    source = DesignSurface.from_completion(completion_of(region_mask(template, "nose")))
    by_number, by_region = (
        select_defect(source, region=region, part=0, margin_mm=5.0, least_mm2=300.0) for region in (None, "nose")
    )
    assert np.array_equal(by_number.faces, by_region.faces)
    with pytest.raises(ValueError, match="there is no part 3; the scan lacks 1"):
        select_defect(source, region=None, part=3, margin_mm=5.0, least_mm2=300.0)
    with pytest.raises(ScanError, match="no enclosed hole where 'l_ear' was"):
        select_defect(source, region="l_ear", part=0, margin_mm=5.0, least_mm2=300.0)


def test_of_several_defects_the_region_names_its_own(template, completion_of):
    chin, orbit = region_mask(template, "chin"), region_mask(template, "left_orbit")
    source = DesignSurface.from_completion(completion_of(chin | orbit))
    by_region = [
        select_defect(source, region=name, part=0, margin_mm=5.0, least_mm2=300.0) for name in ("chin", "left_orbit")
    ]
    by_number = [select_defect(source, region=None, part=k, margin_mm=5.0, least_mm2=300.0) for k in (0, 1)]
    assert by_region[0].centre[1] < -20.0 < 10.0 < by_region[1].centre[1]
    assert by_number[0].area_mm2 > by_number[1].area_mm2
    assert {d.area_mm2 for d in by_region} == {d.area_mm2 for d in by_number}


def test_a_part_keeps_off_the_whole_scan_but_for_an_ear_that_it_replaces(template, left_ear, completion_of):
    whole = completion_of(np.zeros(len(template.vertices), bool))
    source = without_ear(whole, "l_ear")
    assert len(source.tissue.faces) == len(whole.context.scan.mm.mesh.faces)
    assert 0 < len(source.obstacle.faces) < len(source.tissue.faces)
    lacking = DesignSurface.from_completion(completion_of(left_ear))
    assert lacking.obstacle is lacking.tissue


def test_a_marked_defect_is_the_bed_and_counts_as_tissue(template, completion_of):
    """What a completion left out of the scan lies under the part, in the face frame, with the rest of the scan."""
    plain = completion_of(region_mask(template, "nose"))
    bed = Mesh([[0, 0, -30], [9, 0, -30], [0, 9, -30]], [[0, 1, 2]])
    pose = plain.context.fit.pose
    there = bed.with_vertices(pose.inverse().apply(bed.vertices))
    plain.context.scan.defect = plain.context.scan.defect_mm = there
    made = DesignSurface.from_completion(plain)
    assert np.allclose(made.bed.vertices, bed.vertices)
    assert len(made.tissue.faces) == len(plain.context.scan.mm.mesh.faces) + 1
    assert np.allclose(made.tissue.vertices[-3:], bed.vertices)
