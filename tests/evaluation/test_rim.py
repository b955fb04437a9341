import numpy as np
import pytest

from facecom.evaluation.rim import rim_report
from facecom.geometry.mesh import Mesh


def dome(sheet, *, step: float = 0.0, slope: float = 0.0) -> tuple[Mesh, np.ndarray]:
    """A curved sheet whose part x > 10 is raised by a step and by a slope, mm; the rim's vertices stay."""
    flat = sheet(20, 20, seed=0)
    x, y, _ = flat.vertices.T
    beyond = np.maximum(x - 10, 0)
    made = (flat.vertices[flat.faces][:, :, 0] > 9.9).all(1)
    of_scan = np.zeros(len(x), bool)
    of_scan[flat.faces[~made].ravel()] = True
    height = -((x - 10) ** 2 + (y - 10) ** 2) / 100 + slope * beyond + step * ~of_scan
    return flat.with_vertices(np.stack([x, y, height], 1)), made


def test_a_smooth_joint_has_no_step_and_bends_as_the_scan_does(sheet):
    report = rim_report(*dome(sheet))
    assert report.step.count > 10
    assert report.step.max < 0.02
    assert report.kink.median == pytest.approx(report.inside.median, abs=0.02)


@pytest.mark.parametrize("step", [0.3, -0.8])
def test_a_step_is_found_in_its_own_height(sheet, step):
    assert rim_report(*dome(sheet, step=step)).step.median == pytest.approx(abs(step), rel=0.15)


def test_a_kink_is_found_and_is_no_step(sheet):
    report = rim_report(*dome(sheet, slope=0.4))
    assert report.kink.median > report.inside.median + 0.1
    assert report.step.median < 0.15


def test_a_rough_patch_does_not_excuse_a_kink(sheet):
    mesh, made = dome(sheet)
    of_patch = np.setdiff1d(mesh.faces[made], mesh.faces[~made])
    rough = mesh.vertices.copy()
    rough[of_patch, 2] += np.random.default_rng(0).normal(size=len(of_patch))
    report = rim_report(mesh.with_vertices(rough), made)
    assert report.inside == rim_report(mesh, made).inside
    assert report.kink.median > 0.2


def test_sides_that_do_not_meet_have_no_rim(sheet):
    mesh, made = dome(sheet)
    assert rim_report(mesh, np.zeros_like(made)).kink.count == 0
    with pytest.raises(ValueError, match="one for each face"):
        rim_report(mesh, made[:5])
