"""Which spans of a column are tissue: behind what the scan shows, which is an open surface and no solid."""

from __future__ import annotations

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_loops, face_components
from facecom.geometry.signed_distance import SignedDistance
from facecom.prosthesis.checks.columns import Crossings, Spans, crossings, scattered_columns
from facecom.scan.topology import consistent_surface

AROUND_MM = 30.0
"""So far around the part, across the axis, the scan is looked at."""
VOTE_MM = 2.0
"""Which side of the scan is its outside is seen along columns so far apart, all around the part: through a large hole
the inside of the back of a head is seen."""
WALL_BELOW_MM = 50.0
"""The walls by which the tissue ends along the scan's borders reach so far below scan and part."""
PIECE_MM = 0.25
"""Where both ends of a span disagree it is told piece by piece: pieces of a short span are no longer than this."""
SHORT_MM, VOXEL_MM = 3.0, 1.5
"""Pieces of spans longer than the first are told by voxels of the second, which many columns share."""

SMALL_HOLE_MM = 30.0
"""Around holes of the scan no longer around than this the tissue does not end: they are gaps of the scanner."""


class Tissue:
    """What lies behind a scan, in the axis frame.

    Parameters
    ----------
    surface : Mesh or None, with its outside told; None where there is no scan
    floor : z, mm, down to which the tissue ends below the scan's borders
    """

    def __init__(self, surface: Mesh | None, *, floor: float) -> None:
        self._surface = surface
        if surface is not None:
            self._side, self._ends = SignedDistance(surface), Surface(walled(surface, floor=floor))
            self._highest = float(surface.vertices[:, 2].max())

    @classmethod
    def around(cls, scan: Mesh, part: Mesh) -> Tissue:
        """That of a scan in any winding, around a part."""
        low, high = part.vertices.min(0)[:2], part.vertices.max(0)[:2]
        x_y = scan.vertices[:, :2]
        over, under = x_y > high + AROUND_MM, x_y < low - AROUND_MM
        near = ~(over[scan.faces].all(1) | under[scan.faces].all(1)).any(1)
        if not near.any():
            return cls(None, floor=0.0)
        surface = oriented_surface(scan.submesh(np.asarray(near))[0])
        seen = crossings(surface, scattered_columns(low - AROUND_MM, high + AROUND_MM, VOTE_MM))
        lowest = float(min(surface.vertices[:, 2].min(), part.vertices[:, 2].min()))
        return cls(faced_towards_axis(surface, seen), floor=lowest - WALL_BELOW_MM)

    def spans(self, places: Floats, *, lowest: Floats) -> Spans:
        """The tissue in columns at some places, (C, 2); below `lowest`, (C,), nothing is asked."""
        if self._surface is None:
            return Spans(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        found = crossings(self._surface, places)
        return tissue_spans(found, self._side, places, lowest=lowest, highest=self._highest)

    def depth(self, points: Floats) -> Floats:
        """Distance of points in the tissue to where it ends, (Q,) mm."""
        return self._ends.closest(points).distance


def oriented_surface(scan: Mesh) -> Mesh:
    """A scan whose neighbouring faces look to one side; some faces are left out where that cannot be had."""
    surface = consistent_surface(scan.vertices, scan.faces)
    return Mesh(scan.vertices, surface.faces)


def faced_towards_axis(surface: Mesh, seen: Crossings) -> Mesh:
    """A surface turned so that what is seen first along the axis is its outside: each component by most columns.

    Components that no column sees are turned as most of what is seen is.

    Parameters
    ----------
    surface : Mesh, axis frame, each component oriented
    seen : Crossings of columns with it
    """
    label = face_components(surface.faces)
    votes = np.zeros(label.max(initial=0) + 1)
    first = seen.first
    np.add.at(votes, label[seen.face[first]], np.where(seen.enters[first], 1.0, -1.0))
    inward = np.where(votes == 0, votes.sum() < 0, votes < 0)[label]
    return Mesh(surface.vertices, np.where(inward[:, None], surface.faces[:, ::-1], surface.faces))


def walled(surface: Mesh, *, floor: float) -> Mesh:
    """A surface with walls down from its larger borders: what ends the tissue where the scan ends.

    Parameters
    ----------
    surface : Mesh, axis frame
    floor : z of the walls' foot, mm
    """
    long = [loop for loop in boundary_loops(surface.faces) if _length(surface.vertices[loop]) > SMALL_HOLE_MM]
    vertices, faces = [surface.vertices], [surface.faces]
    count = len(surface.vertices)
    for loop in long:
        foot = count + np.arange(len(loop))
        after, foot_after = np.roll(loop, -1), np.roll(foot, -1)
        vertices.append(np.column_stack([surface.vertices[loop, :2], np.full(len(loop), floor)]))
        faces += [np.stack([after, loop, foot], axis=1), np.stack([after, foot, foot_after], axis=1)]
        count += len(loop)
    return Mesh(np.concatenate(vertices), np.concatenate(faces))


def _length(points: Floats) -> float:
    """Length of a closed line, mm."""
    return float(np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1).sum())


def tissue_spans(found: Crossings, side: SignedDistance, places: Floats, *, lowest: Floats, highest: float) -> Spans:
    """The spans of columns that lie in the tissue.

    Below a face that is seen from its front is tissue, below one that is seen from its back, as behind an ear, is
    none; the lower end of a span says the same of what is above it. Where a span has one end alone that one decides,
    so that behind skin whose back was not scanned all is tissue, and in front of everything is none, also where a hole
    of the scan lets the inside of the back of a head be seen. Where its ends disagree, as between the front of an ear
    without a back and the head behind it, the closest point of the scan decides; where that lies on the scan's border
    nothing is known, and no tissue.

    Parameters
    ----------
    found : Crossings of the columns with the scan, outwards turned
    side : SignedDistance of the scan
    places : (C, 2) float, of the columns
    lowest : (C,) float, below this nothing is asked of a column
    highest : above this nothing is asked
    """
    count = len(found.column)
    if not count:
        return Spans(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    facing = np.where(found.enters, 1, -1)
    first, last = found.first, np.append(np.diff(found.column) != 0, True)
    column = np.concatenate([found.column, found.column[last]])
    top = np.concatenate([np.where(first, np.inf, np.roll(found.z, 1)), found.z[last]])
    top_facing = np.concatenate([np.where(first, 0, np.roll(facing, 1)), facing[last]])
    bottom = np.concatenate([found.z, np.full(last.sum(), -np.inf)])
    bottom_facing = np.concatenate([facing, np.zeros(last.sum(), np.int64)])
    every = Spans(column, top, bottom)
    tissue = (top_facing == 1) & (bottom_facing <= 0)
    unclear = (top_facing == bottom_facing) & (top_facing != 0)
    told = _told_by_closest_points(every.chosen(unclear), side, places, lowest=lowest, highest=highest)
    sure = every.chosen(tissue)
    return Spans(*(np.concatenate(pair) for pair in zip(_columns(sure), _columns(told), strict=True)))


def _columns(spans: Spans) -> tuple[Ints, Floats, Floats]:
    return spans.column, spans.top, spans.bottom


def _told_by_closest_points(
    spans: Spans, side: SignedDistance, places: Floats, *, lowest: Floats, highest: float
) -> Spans:
    """The pieces of spans that lie behind the closest point of the scan."""
    top, bottom = np.minimum(spans.top, highest), np.maximum(spans.bottom, lowest[spans.column])
    length = np.maximum(top - bottom, 0.0)
    short = length < SHORT_MM
    pieces = np.ceil(length / np.where(short, PIECE_MM, VOXEL_MM)).astype(np.int64)
    span = np.repeat(np.arange(len(pieces)), pieces)
    number = np.arange(len(span)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    step = (length / np.maximum(pieces, 1))[span]
    high = top[span] - number * step
    points = np.column_stack([places[spans.column[span]], high - 0.5 * step])
    # Behind a large surface many columns ask about the same place.
    points[~short[span]] = VOXEL_MM * (np.floor(points[~short[span]] / VOXEL_MM) + 0.5)
    asked, which = np.unique(points, axis=0, return_inverse=True)
    behind = (side.at(asked) < 0)[which.ravel()] if len(asked) else np.zeros(0, bool)
    return Spans(spans.column[span][behind], high[behind], (high - step)[behind])
