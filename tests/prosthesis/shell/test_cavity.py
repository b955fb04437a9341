"""Skin that is visible from outside, and skin in mouths, nostrils, sockets and clefts."""

import numpy as np
import pytest

from facecom.geometry.mesh import Mesh, boundary_loops
from facecom.prosthesis.shell.cavity import Cavity, visible_faces
from facecom.prosthesis.shell.margin import cut_margin

UP = np.array([0.0, 0.0, 1.0])


def test_a_margin_does_not_follow_skin_that_lies_under_other_skin(workshop):
    low, high = workshop.plate(), workshop.plate(3.3, 1.1, z=2.0)
    both = Mesh(
        np.concatenate([low.vertices, high.vertices]), np.concatenate([low.faces, high.faces + len(low.vertices)])
    )
    within = np.zeros(len(both.faces), bool)
    hidden = ~visible_faces(both, within, UP)
    middle = both.vertices[both.faces].mean(1)
    under = (np.abs(middle[:, :2]) < 3.0).all(1) & (middle[:, 2] < 1.0)
    assert np.array_equal(hidden, under) and under.sum() > 20
    # The patch hides nothing: skin under an ear is skin to lie on.
    within[len(low.faces) :] = True
    assert visible_faces(both, within, UP).all()
    # Skin that looks the other way is not seen.
    assert not visible_faces(low, np.zeros(len(low.faces), bool), -UP).any()


def test_skin_within_the_head_and_in_clefts_is_no_skin_to_lie_on(workshop):
    face, socket = workshop.plate(10.0), workshop.plate(3.5, z=-4.0)
    mesh = Mesh(
        np.concatenate([face.vertices, socket.vertices]),
        np.concatenate([face.faces, socket.faces + len(face.vertices)]),
    )
    in_patch = np.zeros(len(mesh.faces), bool)
    in_patch[: len(face.faces)] = (np.abs(face.vertices[face.faces].mean(1)[:, :2]) < 5.0).all(1)
    behind = np.arange(len(mesh.faces)) >= len(face.faces)
    cavity = Cavity.of(workshop.neighbourhood_of(mesh, in_patch, cavity_surface=mesh), UP)
    assert cavity.unusable[behind].all() and cavity.hidden[behind].all() and not cavity.unusable[~behind].any()
    # Without a look for cavities, as for an ear, skin behind the patch is skin to lie on.
    assert not Cavity.of(workshop.neighbourhood_of(mesh, in_patch), UP).unusable.any()
    cleft = workshop.plate(10.0, 0.5, height=lambda x, y: -6.0 * np.exp(-((x / 0.4) ** 2)))
    deep = Cavity.of(
        workshop.neighbourhood_of(cleft, np.zeros(len(cleft.faces), bool), cavity_surface=cleft), UP
    ).unusable
    place = np.abs(cleft.vertices[cleft.faces].mean(1)[:, 0])
    assert deep[place < 0.4].any() and not deep[place > 2.0].any()


def _bag(workshop, opening, radius):
    """A plate of which the middle lines a ball under a round opening."""
    plate = workshop.plate(20.0, 0.5)
    far = np.maximum(np.hypot(plate.vertices[:, 0], plate.vertices[:, 1]), 1e-9)
    first = np.arcsin(opening / radius)
    polar = first + (np.pi - first) * np.clip(1.0 - far / opening, 0.0, 1.0)
    within = far < opening
    place = plate.vertices * np.where(within, radius * np.sin(polar) / far, 1.0)[:, None]
    return plate.with_vertices(place + np.outer(np.where(within, radius * (np.cos(polar) - np.cos(first)), 0.0), UP))


@pytest.mark.parametrize(("opening", "radius", "followed"), [(4.0, 8.0, False), (3.0, 3.2, True)])
def test_a_part_follows_a_nostril_and_spans_a_socket(workshop, opening, radius, followed):
    mesh = _bag(workshop, opening, radius)
    in_patch = np.hypot(*mesh.vertices[mesh.faces].mean(1)[:, :2].T) < 9.0
    margin = cut_margin(workshop.neighbourhood_of(mesh, in_patch, cavity_surface=mesh), towards=UP)
    assert (margin.mesh.vertices[:, 2].min() < -0.8 * radius) == followed
    assert len(boundary_loops(margin.mesh.faces)) == 1 and (-margin.defect_distance).max() > 7.0
