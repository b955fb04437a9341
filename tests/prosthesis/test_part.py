"""A part as a value."""

import numpy as np
import pytest


@pytest.mark.slow
def test_a_part_converts_to_other_packages(part, monkeypatch):
    solid = part.to_trimesh()
    assert solid.is_watertight and np.array_equal(solid.vertices, part.shell.vertices)
    assert np.array_equal(np.asarray(part.to_open3d().triangles), part.shell.faces)
    # The other two are not installed everywhere; what they are given is the same.
    monkeypatch.setattr("facecom.io.conversion.to_pyvista", lambda mesh: mesh)
    monkeypatch.setattr("facecom.io.conversion.to_pytorch3d", lambda mesh, *, device: (mesh, device))
    assert part.to_pyvista() is part.shell and part.to_pytorch3d(device="cuda") == (part.shell, "cuda")


def test_a_notebook_shows_a_part_with_its_figures_and_warnings(part):
    text = part._repr_html_()
    assert "data:image/png;base64," in text and f"{part.inspection.volume_mm3 / 1000:.1f} cm3" in text
    assert all(warning.split(":")[0] in text for warning in part.warnings)
    assert repr(part).startswith(f"Prosthesis({part.inspection.volume_mm3 / 1000:.1f} cm3")
