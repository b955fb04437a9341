"""Settings of the projection of the fitted face onto the scan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProjectSettings:
    """Gaussian fields of the offset from the fitted face to the scan; lengths in mm."""

    correlation_mm: float = 14.0
    """Correlation length of the coarse offset: the distance at which its correlation has fallen to 0.14."""
    sigma_mm: float = 0.5
    """Prior standard deviation of the coarse offset."""
    coarse_noise_mm: float = 0.15
    """Standard deviation of what the coarse level cannot represent."""
    fine_correlation_mm: float = 5.0
    """Correlation length of the residual after the coarse offset."""
    fine_sigma_mm: float = 0.3
    """Prior standard deviation of that residual."""
    noise_mm: float = 0.08
    """Standard deviation of the scan's own noise."""
    trend_noise_mm: float = 2.0
    """Standard deviation of a single residual in the trend that outliers are told from."""
    robust_mm: float = 1.0
    """Deviation from that trend at which a correspondence has a quarter of its weight (Geman and McClure)."""
    fine_robust_mm: float = 0.7
    """Residual after the coarse offset at which a correspondence has a quarter of its weight."""
    reach_mm: float = 5.0
    """Longest correspondence of the coarse level."""
    fine_reach_mm: float = 2.0
    """Longest correspondence once the coarse offset is known."""
    normal_smoothing_passes: int = 6
    """Rings over which the normals that the offsets run along are averaged."""
    extrapolation_depth_mm: float = 40.0
    """How deep into a hole the offset is extrapolated."""
    extrapolation_rim_mm: float = 8.0
    """Width of the observed rim around the hole that the extrapolation uses."""
    extrapolation_correlation_mm: float = 25.0
    """Correlation length of the extrapolated offset."""
    extrapolation_sigma_mm: float = 1.0
    """Prior standard deviation of the extrapolated offset."""
    mirror_share: float = 0.8
    """Share of the opposite side's offset that is the prior mean in the hole, where that side was observed."""
    mirror_noise_mm: float = 1.0
    """Standard deviation of a single offset of the opposite side: the scan's noise there says nothing about here."""
    observed_mm: float = 0.6
    """A vertex whose correspondence is no longer than this in the end counts as observed."""
