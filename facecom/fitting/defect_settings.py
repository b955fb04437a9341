"""Settings of the search for defects and for swelling beside them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DefectSearchSettings:
    """How contradicted parts of a scan are found; lengths in mm."""

    noise_mm: float = 0.6
    """Standard deviation of what neither model nor scan explain, for each vertex."""
    prior_precision: float = 4.0
    """Of each entry of the code. The errors of fits are 0.58 times as wide as the prior has them
    (`PosteriorSettings.scale`), and faces narrower still."""
    discs: tuple[tuple[float, float, float], ...] = ((26.0, 16.0, 1.6), (40.0, 20.0, 1.15), (52.0, 26.0, 1.15))
    """Radius and spacing of the discs that are left out, and the mean squared residual, in units of what is expected,
    from which one is looked at more closely."""
    compared_mm: float = 15.0
    compared_limit_rad: float = 1.4
    """Surface within this distance and angle of the face is held against what the rest predicts."""
    usual_shape: float = 0.8
    unusual_modes: int = 60
    unusual_disc_mm: float = 40.0
    """Mean square of so many leading entries of the code above which a fit may have bent to a defect, so that the disc
    of this radius is looked at even where none is contradicted: a nose that a membrane closes."""
    disc_modes: int = 120
    """Leading entries of the code that discs are predicted by."""
    reach_mm: float = 30.0
    """How far from the face the bed of a wound is looked for."""
    matched_mm: float = 8.0
    """Correspondences farther away do not move the face."""
    normal_limit_rad: float = 1.0
    """Nor do those whose normal differs by a larger angle."""
    robust_mm: float = 1.5
    """Residual at which a correspondence counts a quarter."""
    defect_cost: float = 1.0
    """Energy of a vertex in a defect: half a squared residual, in standard deviations, from which that is cheaper."""
    compared_cost: float = 0.5
    """The same where outcomes are compared: neighbours in a defect tell much the same, and count for less there."""
    cut_cost: float = 1.2
    """Energy of each edge between defect and skin."""
    most_gain: float = 4.0
    """Energy that a single residual can tell at most."""
    iterations: int = 8
    settled_vertices: int = 2
    """Turns end when no more labels than these change."""
    least_vertices: int = 26
    least_gain: float = 150.0
    """Defects of fewer vertices, or whose residuals tell less energy together, are not told from what faces differ by:
    closed eyes, nostrils, a beard."""
    most_share: float = 0.3
    """A larger share of what the scan shows of the face is no defect, but a face that was not found well."""


@dataclass(frozen=True)
class DefectProbabilitySettings:
    """How the probability that a triangle shows a defect follows from its features, and when a place is doubtful.

    A logistic function, fitted by `training.defect_probability`; the features are those of
    `facecom.completion.defect_features.defect_features`.
    """

    asymmetry: float = 3.77
    central_depth: float = 3.6
    flatness: float = 1.07
    one_sided_flatness: float = 1.61
    smoothness: float = 2.5
    color: float = 1.0
    """Log odds for each unit of a feature. Those of smoothness and color are set by hand: made membranes are smoother
    than any that a scanner draws, and have no colours."""
    intercept: float = -6.08
    doubtful: float = 0.3
    """Probability from which a place is doubtful."""
    least_mm2: float = 120.0
    """Smaller places are the folds of lids and lips, and what faces differ by."""


@dataclass(frozen=True)
class SwellingSettings:
    """When the border of a defect counts as swollen; lengths in mm, from the defect or what is doubted."""

    unseen_mm: float = 6.0
    """Width of the strip that a fit goes without, to say how high the skin there should lie."""
    border_mm: float = 2.5
    """Width of the strip whose height is looked at: swelling is highest at the border."""
    arc_mm: float = 8.0
    """Radius about a place within which the border's heights are taken together."""
    least_mm: float = 0.15
    least_deviations: float = 0.7
    """Mean height of such an arc from which it is swollen, in mm and in standard deviations within it."""
    least_share: float = 0.5
    """Share of the border that must be up, less the share that is as far down: a face that is not fitted well is up in
    places and down in others."""
    off_face_mm: float = 6.0
    """What lies farther from the face is no skin of it."""
    doubted_mm: float = 5.0
    """Width of the strip that is doubted, all round, where the border is swollen."""
