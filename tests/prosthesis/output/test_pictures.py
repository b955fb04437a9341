"""Pictures: sections against a slow reference, views, colours."""

import numpy as np
import pytest

from facecom.prosthesis.output.pictures import (
    draw_section,
    provenance_colors,
    section,
    shaded,
    thickness_colors,
    with_caption,
    yawed,
)
from facecom.provenance import Provenance


def _section_one_by_one(mesh, origin, normal):
    """Ends of the cut of each face, found edge by edge."""
    out = []
    for face in mesh.faces:
        height = (mesh.vertices[face] - origin) @ normal
        ends = []
        for k in range(3):
            a, b = height[k], height[(k + 1) % 3]
            if (a > 0) != (b > 0):
                share = a / (a - b)
                ends.append(mesh.vertices[face[k]] * (1 - share) + mesh.vertices[face[(k + 1) % 3]] * share)
        if ends:
            out.append(sorted(map(tuple, ends)))
    return out


@pytest.mark.parametrize("seed", range(4))
def test_a_section_is_where_each_face_is_cut(icosphere, seed):
    ball = icosphere(2, radius=5.0)
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=3)
    normal /= np.linalg.norm(normal)
    origin = rng.uniform(-2.0, 2.0, 3)
    found = [sorted(map(tuple, ends)) for ends in section(ball, origin, normal)]
    slow = _section_one_by_one(ball, origin, normal)
    assert len(found) == len(slow) > 10 and np.allclose(found, slow)


def test_a_view_shows_the_mesh_on_white_and_is_the_same_from_every_side_of_a_ball(icosphere):
    ball = icosphere(4, radius=5.0)
    front = shaded(ball, np.eye(3), size=50)
    assert front.shape == (50, 50, 3) and (front[0, 0] == 255).all() and (front[25, 25] < 255).all()
    covered = (front < 255).any(2).mean()
    assert covered == pytest.approx(np.pi / 4 / 1.06**2, abs=0.02)
    turned = shaded(ball, yawed(np.eye(3), 0.8), size=50)
    assert np.abs(turned.astype(int) - front).mean() < 1.0
    red = shaded(ball, np.eye(3), size=50, colors=np.tile([1.0, 0, 0], (len(ball.vertices), 1)))
    assert red[25, 25, 0] > 100 and not red[25, 25, 1:].any()
    assert (shaded(ball, np.eye(3), size=50, half=50.0) < 255).any(2).mean() < 0.02


def test_yaw_is_a_rotation_about_the_upright():
    axes = yawed(np.eye(3), 0.3)
    assert np.allclose(axes @ axes.T, np.eye(3)) and np.allclose(axes[1], [0, 1, 0])
    assert np.allclose(yawed(axes, -0.3), np.eye(3))


def test_thickness_runs_from_red_to_blue():
    colors = thickness_colors(np.array([0.0, 3.0, 9.0]), top=3.0)
    assert colors[0].argmax() == 0 and colors[1].argmax() == 2 and np.array_equal(colors[1], colors[2])


def test_each_provenance_has_a_colour_of_its_own_and_no_provenance_is_white():
    colors = provenance_colors(np.array([-1, *Provenance]))
    assert len(np.unique(colors, axis=0)) == 1 + len(Provenance)
    assert colors[0].min() == colors.min(1).max()


def test_a_section_is_drawn_in_its_colour_and_captioned(icosphere):
    picture = draw_section([(icosphere(2, radius=5.0), (0, 0, 255))], np.zeros(3), np.eye(3), half=6.0, size=60)
    blue = (picture[..., 2] > 200) & (picture[..., 0] < 150)
    radius = np.hypot(*(np.argwhere(blue) - 29.5).T) / 60 * 12.0
    assert blue.any() and radius.min() > 4.3 and radius.max() < 5.4
    captioned = with_caption(picture, "ball")
    assert captioned.shape == (78, 60, 3) and np.array_equal(captioned[18:], picture)
