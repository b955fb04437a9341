"""Regions of the template that can be marked or replaced."""

import numpy as np
import pytest

from facecom.completion.regions import auricle, region_mask
from facecom.model.template import Template


@pytest.fixture(scope="module")
def template():
    return Template.load()


@pytest.fixture(scope="module")
def left_ear(template):
    return auricle(template, "l_ear")


def test_regions_have_names_and_unknown_ones_are_listed(template):
    left, right = region_mask(template, "left_orbit"), region_mask(template, "right_orbit")
    assert template.vertices[left, 0].mean() > 10 and np.array_equal(left[template.mirror], right)
    assert np.array_equal(region_mask(template, "l_lip"), template.region_mask("l_lip"))
    with pytest.raises(ValueError, match="no region 'elbow'.*l_ear"):
        region_mask(template, "elbow")


def test_an_ear_is_all_that_stands_off_the_head(template, left_ear):
    right = auricle(template, "r_ear")
    assert (left_ear == right[template.mirror]).mean() > 0.999
    vertices = template.vertices
    own = template.region_mask("l_ear")
    # The helix is the outermost point; lobule and tragus, which the parser's region lacks, lie low in front.
    assert left_ear[np.argmax(vertices[:, 0])]
    lacking = left_ear & ~own
    assert lacking.sum() > 300 and vertices[lacking, 1].mean() < vertices[own, 1].mean() - 10.0
    assert vertices[lacking, 2].mean() > vertices[own, 2].mean() + 5.0
    # Scalp behind the ear is in the parser's region and not in this one.
    assert vertices[left_ear, 2].min() > vertices[own, 2].min() + 3.0
    assert 3000 < left_ear.sum() < 6000
