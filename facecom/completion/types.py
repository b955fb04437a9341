"""The values of the job: what can be set, what a scan is on the way, and what is reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from facecom.fitting.defect_settings import DefectProbabilitySettings, DefectSearchSettings, SwellingSettings
from facecom.fitting.fit import FitSettings
from facecom.fitting.pose_hypotheses import PoseHypothesis, PoseHypothesisSettings
from facecom.fitting.posterior import PosteriorSettings
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Mesh
from facecom.projection.settings import ProjectSettings
from facecom.scan.alignment import AlignSettings
from facecom.scan.cleaning import CleanReport
from facecom.scan.units import UnitCandidate
from facecom.skin.detail import DetailSettings
from facecom.stitching.stitch import StitchSettings

if TYPE_CHECKING:
    from facecom.guidance.diffusers_pipeline import PipelineSettings
    from facecom.guidance.settings import GuidanceSettings

RIM_MM = 10.0
"""Width of the rim of the face proper."""
DetailChoice = Literal["none", "own", "synthetic"]
GuidanceSource: TypeAlias = "str | PipelineSettings | GuidanceSettings"
"""Where inpainted images come from: "auto", "none", "shipped" (or `GuidanceSettings`, where networks of your own can
stand), or a diffusers pipeline, by its settings, its folder, or owner/name@commit."""


@dataclass(frozen=True)
class AcceptanceThresholds:
    """What a scan must show to count as a face, and to be completed."""

    least_score: float = 0.17
    """Share of the face proper that must be explained by the rough fit."""
    least_observed: float = 0.3
    """Share of the face proper that must be observed in the end."""
    least_piece: float = 0.15
    """The same for a piece of a face and nothing else: a scan of which `piece_share` lies on the face proper."""
    piece_share: float = 0.25
    """Share of the scan. A head whose face was cut away shows little of one too, but much besides."""
    most_shrinkage: float = 1.6
    """How many times smaller, by area, what was observed may be than on the mean face: a fit that settles on something
    else draws the face together. A face of four fifths the size has 1.56."""
    on_mm: float = 2.0
    """A triangle of the scan this near to the face in the end lies on it."""
    plainly_observed: float = 0.6
    """With this share of the face observed, of a usual shape, the shrinkage does not matter."""
    most_usual_prior: float = 1.5
    """Squared code for each entry of the fit up to which a shape is usual. A mouth wide open goes beyond, but is not
    drawn together."""
    most_rms_mm: float = 1.6
    """Distance between rough fit and scan, root mean square, that still is a face."""
    most_prior: float = 4.0
    """Squared code for each entry of the rough fit: a face has about one."""
    most_fitted_prior: float = 2.0
    """The same after the whole fit, which can bend another thing's shape far enough to lie on it."""
    least_beside_mm2: float = 6000.0
    """Surface beside the head found that is searched for a second face."""
    sure_score: float = 0.35
    sure_prior: float = 2.5
    """A start as good as this in both ends the search."""
    plain_score: float = 0.5
    """And so does one with this score, however unusual the shape (a mannequin): wrong poses come nowhere near."""

    def accepts(self, start: PoseHypothesis) -> bool:
        """Whether a rough fit counts as a face."""
        return start.score >= self.least_score and start.rms_mm <= self.most_rms_mm and start.prior <= self.most_prior

    def convinces(self, start: PoseHypothesis) -> bool:
        """Whether to look no further."""
        return start.score > self.plain_score or (start.score > self.sure_score and start.prior < self.sure_prior)


@dataclass(frozen=True)
class CompletionSettings:
    """Everything that affects the result, besides scan, model, landmarks, unit and seed."""

    align: AlignSettings = field(default_factory=AlignSettings)
    start: PoseHypothesisSettings = field(default_factory=PoseHypothesisSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    defects: DefectSearchSettings = field(default_factory=DefectSearchSettings)
    defect_probability: DefectProbabilitySettings = field(default_factory=DefectProbabilitySettings)
    project: ProjectSettings = field(default_factory=ProjectSettings)
    posterior: PosteriorSettings = field(default_factory=PosteriorSettings)
    stitch: StitchSettings = field(default_factory=StitchSettings)
    detail: DetailSettings = field(default_factory=DetailSettings)
    acceptance: AcceptanceThresholds = field(default_factory=AcceptanceThresholds)
    near_score: float = 0.7
    """Poses with this share of the best one's score are tried first, the others where none of these convinces."""
    fit_cell_mm: float = 1.2
    """Scans with shorter edges are averaged over cells of this size for the fit."""
    more_starts: int = 2
    """How many poses near the one found are fitted too; the fit that explains most is kept."""
    near_turn_rad: float = 0.035
    """How far they are turned about each axis (standard deviation)."""
    near_shift_mm: float = 2.0
    """How far they are moved along each axis (standard deviation)."""
    doubted_rim_mm: float = 1.0
    """Width of the strip about a marked defect that is kept and not believed."""
    found_rim_mm: float = 3.0
    """The same about a defect that was found, whose border is known less well."""
    swelling: SwellingSettings = field(default_factory=SwellingSettings)
    outer_trust: float = 0.05
    """Weight of scalp, ears and neck in the fit: hair and collars are no face."""
    head_radius_mm: float = 150.0
    """All that lies this near to the middle of the head found belongs to it."""
    face_radius_mm: float = 90.0
    """The face proper: this far from the axis through the middle of the face, and no deeper behind the nose tip."""

    @property
    def inner_radius_mm(self) -> float:
        """The same without the rim, where hair and collars begin: what must be observed, and what images fill in."""
        return self.face_radius_mm - RIM_MM


@dataclass(frozen=True)
class Coverage:
    """How much of the face proper was observed, how large that is, and how much of the scan it is.

    coverage : share of the face proper that was observed, by area on the mean face
    shrinkage : how many times smaller the observed part is than on the mean face, by area: about one for a face, more
        where a face was drawn together to lie on another thing
    scan_share : share of the scan that lies on the face proper; None where so much was observed that nobody asks
    """

    coverage: float
    shrinkage: float
    scan_share: float | None


@dataclass(frozen=True)
class Report:
    """What was done and what it showed; lengths in mm.

    unit, mm_per_unit : of the scan and of every output
    mm_per_unit_sigma : standard deviation of `mm_per_unit` where the face told it ("free"); None where it is known
    face_size : of the fitted face, in units of the mean adult's; of a "free" scan about 1 by construction
    pose : 4x4 matrix, the scan's own frame and unit -> face frame, mm
    score, coverage : share of the face explained by the rough fit, and observed in the end
    scan_to_face_mm : mean distance of the scan to the completed face by region
    observed_share, made_up_share : of the completed face's area
    sigma_made_up_mm : mean standard deviation of what was made up
    removed : what cleaning took out
    detail : what skin relief was made, and from what; None unless asked for
    guidance_mm : how far inpainted images moved the fitted face, mean by region; None where none were used
    parsed_share : share of each class of the face parser that the scan shows, in its images; None without images
    defect_mm2 : area of what was left out of the scan as no face: marked by the caller, found, and of skin that is
        kept and not believed
    doubtful_places : where it is not sure whether the scan shows skin: place, center (scan's own frame and unit),
        area_mm2 and mean probability of a defect, largest first
    kind : "most likely", or how a sample or a refit came about
    """

    unit: str
    mm_per_unit: float
    pose: tuple[tuple[float, ...], ...]
    score: float
    coverage: float
    fit_rms_mm: float
    scan_to_face_mm: Mapping[str, float]
    observed_share: float
    made_up_share: float
    sigma_made_up_mm: float
    holes_filled: int
    removed: Mapping[str, int]
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    model: Mapping[str, Any]
    warnings: tuple[str, ...]
    detail: Mapping[str, Any] | None = None
    guidance_mm: Mapping[str, float] | None = None
    parsed_share: Mapping[str, float] | None = None
    defect_mm2: Mapping[str, float] = field(default_factory=dict)
    doubtful_places: tuple[Mapping[str, Any], ...] = ()
    kind: str = "most likely"
    mm_per_unit_sigma: float | None = None
    face_size: float | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """A cleaned scan: `mesh` in its own unit, `mm` the same in mm with triangles outwards, and coarser for the fit.

    doubted : (F,) bool, triangles of `mesh` that are kept, and believed by neither fit nor projection
    defect : what the scan shows where the face is missing, such as a wound's bed, in its own unit; not part of `mesh`
    mm_per_unit_sigma : standard deviation of `mm_per_unit` where the face told it; None where it is known
    other_units : what else its numbers may be, to be tried where no face is found
    """

    mesh: Mesh
    mm: OrientedSurface
    for_fit: OrientedSurface
    unit: str
    mm_per_unit: float
    inside_out: bool
    removed: CleanReport
    doubted: Bools
    defect: Mesh
    mm_per_unit_sigma: float | None = None
    other_units: tuple[UnitCandidate, ...] = ()

    @property
    def defect_mm(self) -> Mesh:
        """The defect in mm with its triangles outwards."""
        order = slice(None, None, -1) if self.inside_out else slice(None)
        return Mesh(self.defect.vertices * self.mm_per_unit, self.defect.faces[:, order], colors=self.defect.colors)
