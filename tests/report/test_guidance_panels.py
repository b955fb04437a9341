"""Panels of the guidance's views."""

from dataclasses import replace

import numpy as np

from facecom.report.guidance_panels import HOLE_COLOR, enlarged, guidance_pictures, guidance_values, view_panels


def test_panels_of_a_view_without_a_parser(guided):
    view = guided.context.guidance.found.views[0]
    panels = dict(view_panels(view))
    assert list(panels) == ["rendered scan", "hole", "inpainted"]
    assert len({panel.shape for panel in panels.values()}) == 1


def test_the_hole_is_in_its_color_and_only_there(guided):
    view = guided.context.guidance.found.views[0]
    panels = {name: panel.astype(int) for name, panel in view_panels(view)}
    side, size = len(panels["hole"]), len(view.inpainted.mask)
    row, column = (int((k + 0.5) * side / size) for k in np.argwhere(view.inpainted.mask).mean(axis=0))
    assert np.abs(panels["hole"][row, column] / 255 - HOLE_COLOR).max() < 0.03
    away = np.ones((side, side), bool)
    rows, columns = np.nonzero(view.inpainted.mask)
    low, high = ((np.array([r.min(), r.max() + 1]) * side // size) for r in (rows, columns))
    away[low[0] - 20 : low[1] + 20, high[0] - 20 : high[1] + 20] = False
    assert np.array_equal(panels["hole"][away], panels["rendered scan"][away])


def test_the_views_with_the_largest_holes_are_shown(guided):
    guidance = guided.context.guidance.found
    view = guidance.views[0]
    views = [replace(view, name=name, trusted=np.arange(100) < count) for name, count in (("a", 5), ("b", 9), ("c", 7))]
    pictures = list(guidance_pictures(replace(guidance, views=tuple(views)), max_views=2))
    assert [p.caption.partition("view ")[2] for p in pictures] == ["b"] * 3 + ["c"] * 3


def test_values_of_the_guidance(guided):
    guidance = guided.context.guidance.found
    values = guidance_values(guidance)
    assert values["inpainted pixels that the fit observed"] == f"{len(guidance.observations.sigma_mm):,}"
    assert values["observed by the parser, nose"] == "50 %"
    assert "inpainted pixels that the fit observed" not in guidance_values(replace(guidance, observations=None))


def test_enlarging_keeps_a_flat_picture_flat():
    assert np.unique(enlarged(np.full((5, 5, 3), 0.4), side=50)).tolist() == [102]
