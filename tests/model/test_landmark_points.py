"""Landmarks of a face are found by their names and by their aliases."""

import numpy as np
import pytest

from facecom.model.landmark_points import LandmarkPoints
from facecom.model.template import LANDMARK_ALIASES, LANDMARK_NAMES, Template


@pytest.fixture(scope="module")
def template():
    return Template.load()


@pytest.mark.parametrize("name", (*LANDMARK_NAMES, *LANDMARK_ALIASES))
def test_every_name_and_alias_finds_its_vertex(template, name):
    points = LandmarkPoints.of(template, template.vertices)
    assert tuple(points) == LANDMARK_NAMES
    np.testing.assert_array_equal(points[name], template.vertices[template.landmark_index(name)])


@pytest.mark.parametrize("name", ("nose", "nose_tip"))
def test_what_is_not_there_is_a_key_error(name):
    with pytest.raises(KeyError, match=name):
        LandmarkPoints()[name]
