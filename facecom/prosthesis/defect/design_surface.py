"""The surface that a part is designed on: a completed face with its patch, in the face frame, and the wound bed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.completion import Completion
from facecom.completion.regions import FINEST_LEVEL, auricle, region_mask
from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges, face_areas, joined
from facecom.geometry.transform import Similarity
from facecom.model.template import Template
from facecom.prosthesis.defect.detection import find_defects, vector_area
from facecom.prosthesis.defect.neighbourhood import Defect
from facecom.prosthesis.defect.recomplete import recomplete
from facecom.prosthesis.solid.clipping import clip_faces
from facecom.provenance import Provenance
from facecom.skin.detail import Detail

IN_REGION = 0.5
"""A vertex of the scan belongs to a region when the closest point of the face does by this share or more."""
NEAR_REGION_MM = 8.0
"""A vertex of a defect belongs to a region within this distance: where a region was cut out its shape has changed."""


@dataclass(frozen=True, eq=False)
class DesignSurface:
    """A completed surface in the face frame, mm.

    Parameters
    ----------
    completion : Completion, what the surface comes from
    merged : Mesh, the scan and the patch
    in_patch : (F,) bool, faces of the patch
    provenance : (V,) int, a `Provenance`
    sigma_mm : (V,) float
    face : (T, 3) float, the completed face in the template's topology
    weights : (V, T) sparse, each vertex of the patch as a weighted mean of vertices of the face; others have none
    bed : Mesh or None, the wound bed: surface of the scan that the part covers
    marked : whether that is what the caller marked as missing
    detail : Detail or None, skin relief of the patch
    tissue : Mesh, all that the raw scan shows, wound bed and remnants included, faces outwards
    cavities : whether the surface may show a mouth or a socket from within, as scans do
    mm_per_unit : unit of the scan as it was given
    mm_per_unit_sigma : its standard deviation where the face told it; None where it is known
    removed : (F of tissue,) bool or None, faces of it that the part does not keep off: what it replaces
    """

    completion: Completion
    merged: Mesh
    in_patch: Bools
    provenance: Ints
    sigma_mm: Floats
    face: Floats
    weights: sp.csr_matrix
    tissue: Mesh
    bed: Mesh | None = None
    detail: Detail | None = None
    marked: bool = False
    cavities: bool = True
    mm_per_unit: float = 1.0
    mm_per_unit_sigma: float | None = None
    removed: Bools | None = None

    @property
    def obstacle(self) -> Mesh:
        """The tissue that the part keeps off, face frame."""
        return self.tissue if self.removed is None else self.tissue.submesh(~self.removed)[0]

    @property
    def template(self) -> Template:
        """The face template."""
        return self.completion.template

    @property
    def pose(self) -> Similarity:
        """The scan's own frame and unit -> face frame, mm."""
        to_face = self.completion.context.fit.pose
        return Similarity(to_face.rotation, to_face.translation, to_face.scale * self.mm_per_unit)

    def sha256(self) -> str:
        """Hash of the surface, its patch and its provenance."""
        digest = hashlib.sha256()
        for array in (self.merged.vertices, self.merged.faces, self.in_patch, self.provenance, self.sigma_mm):
            digest.update(np.ascontiguousarray(array).tobytes())
        for mesh in (self.bed, None if self.detail is None else self.detail.mesh):
            digest.update(b"" if mesh is None else mesh.vertices.tobytes())
        return digest.hexdigest()

    @classmethod
    def from_completion(cls, completion: Completion, *, bed: Mesh | None = None) -> DesignSurface:
        """The merged mesh of a completion; `bed` in the face frame, what was marked or found as defect unless given."""
        evidence = completion.context
        marked = False
        if bed is None and len(evidence.scan.defect.faces):
            bed = _in_face_frame(evidence.scan.defect_mm, completion)
            marked = "marked" in completion.report.defect_mm2
        merged = evidence.stitched.merged
        in_patch = np.arange(len(merged.faces)) >= len(evidence.scan.mesh.faces)
        provenance = completion.merged_provenance
        own = evidence.stitched.weights
        weights = sp.vstack([sp.csr_matrix((len(merged.vertices) - own.shape[0], own.shape[1])), own]).tocsr()
        face = evidence.projection.vertices
        sigma = completion.merged_sigma_mm
        tissue = _scanned_tissue(completion, completion)
        detail = completion.detail
        made = cls(completion, merged, in_patch, provenance, sigma, face, weights, tissue, bed, detail, marked)
        return made.in_unit_of(completion)

    def in_unit_of(self, completion: Completion) -> DesignSurface:
        """The same surface, of a scan in the unit that a completion found."""
        scan = completion.context.scan
        return replace(self, mm_per_unit=scan.mm_per_unit, mm_per_unit_sigma=scan.mm_per_unit_sigma)

    def with_completion(self, other: Completion) -> DesignSurface:
        """The same surface with the patch of another completion of the same scan, such as a posterior sample."""
        shift = other.context.projection.vertices - self.completion.context.projection.vertices
        merged = self.merged.with_vertices(self.merged.vertices + self.weights @ shift)
        return replace(self, completion=other, merged=merged, face=self.face + shift, detail=None)

    @classmethod
    def from_face(
        cls, completion: Completion, mask: Bools, *, border_mm: float = 9.0, hole_mm: float = 12.0
    ) -> DesignSurface:
        """The completed face in the template's topology, with a region as its patch.

        For parts that scans show poorly and that stand off the head, such as ears: no hole has to be cut.

        Parameters
        ----------
        completion : Completion
        mask : (T,) bool, the region
        border_mm : vertices nearer to the template's border stay skin, for the margin to lie on
        hole_mm : what the scan lacks next to the region, as far as this from it, joins the patch, so that the margin
            lies on observed skin
        """
        evidence = completion.context
        template, face = evidence.template, evidence.projection.vertices
        whole = Mesh(face, template.faces[FINEST_LEVEL])
        border = geodesic_distance(whole, boundary_edges(whole.faces).ravel(), reach_mm=border_mm)
        mask = _grow_mask(whole, mask, completion.provenance != Provenance.OBSERVED, hole_mm) & np.isinf(border)
        provenance = completion.provenance
        in_patch = np.asarray(mask[template.faces[FINEST_LEVEL]].all(1))
        weights = sp.identity(len(face), format="csr")
        sigma, tissue = completion.sigma_mm, _scanned_tissue(completion, completion)
        made = cls(completion, whole, in_patch, provenance, sigma, face, weights, tissue, cavities=False)
        return made.in_unit_of(completion)


def _grow_mask(mesh: Mesh, mask: Bools, more: Bools, reach_mm: float) -> Bools:
    """A mask of vertices grown over further vertices connected with it, as far as a distance along the surface."""
    part, used = mesh.submesh(np.asarray((mask | more)[mesh.faces].all(1)))
    out = mask.copy()
    out[used] |= np.isfinite(geodesic_distance(part, np.flatnonzero(mask[used]), reach_mm=reach_mm))
    return out


def without_region(completion: Completion, name: str) -> DesignSurface:
    """Take a region out of the scan and complete what is left; what was taken out is the wound bed.

    The pose is known and is not searched for again.

    Parameters
    ----------
    completion : Completion
    name : of the region, see `region_mask`

    Raises
    ------
    ValueError
        When the name is unknown.
    ScanError
        When nothing of the scan is left.
    """
    in_region = _region_share(completion, region_mask(completion.template, name)) > IN_REGION
    taken = np.asarray(in_region[completion.context.scan.mm.mesh.faces].any(1))
    if taken.all():
        raise ScanError(f"the scan shows nothing but the region {name!r}; scan more of the face around it")
    if not taken.any():
        return DesignSurface.from_completion(completion)
    completed = recomplete(completion, ~taken)
    scan = completion.context.scan
    bed = joined(scan.defect_mm, scan.mm.mesh.submesh(taken)[0])
    source = DesignSurface.from_completion(completed, bed=_in_face_frame(bed, completed))
    return replace(source, tissue=_scanned_tissue(completion, completed)).in_unit_of(completion)


def without_ear(
    completion: Completion,
    name: str,
    *,
    least_observed: float = 0.5,
    height_mm: float = 6.0,
    root_mm: float = 1.0,
    least_bed: float = 0.3,
) -> DesignSurface:
    """The head with one ear as its patch; where the scan shows skin in the ear's place, that is the wound bed.

    Parameters
    ----------
    completion : Completion
    name : "l_ear" or "r_ear"
    least_observed : the scan shows an ear when this share of its vertices that stand off the head was observed
    height_mm, root_mm : which vertices these are, see `auricle`
    least_bed : the scan shows a wound bed when it covers this share of the area of the ear's base
    """
    template = completion.template
    mask = region_mask(template, name)
    standing_off = auricle(template, name, height_mm=height_mm, root_mm=root_mm)
    scan, share = completion.context.scan.mm.mesh, _region_share(completion, mask)
    # Faces on the region's border stay: the margin then has observed skin right up to it.
    taken = np.asarray((share[scan.faces] > IN_REGION).all(1))
    taken_mm2 = face_areas(scan)[taken].sum()
    has_ear = (completion.provenance[standing_off] == Provenance.OBSERVED).mean() > least_observed
    if has_ear or taken_mm2 < least_bed * _base_area_mm2(template, mask):
        return replace(DesignSurface.from_face(completion, mask), removed=taken)
    completed = recomplete(completion, ~taken)
    bed, _ = clip_faces(scan, IN_REGION - share, 0.0)
    made = replace(
        DesignSurface.from_face(completed, mask),
        tissue=_scanned_tissue(completion, completed),
        bed=_in_face_frame(bed, completed),
    )
    return made.in_unit_of(completion)


def _in_face_frame(bed: Mesh, completion: Completion) -> Mesh:
    return bed.with_vertices(completion.context.fit.pose.apply(bed.vertices))


def _scanned_tissue(scanned: Completion, completed: Completion) -> Mesh:
    """The scan of one completion, its defect with it, in the face frame of another of it, faces outwards."""
    scan = scanned.context.scan
    return _in_face_frame(joined(scan.mm.mesh, scan.defect_mm), completed)


def _base_area_mm2(template: Template, mask: Bools) -> float:
    """Area that a region's border encloses, projected along its mean normal, mm2."""
    faces = template.faces[FINEST_LEVEL]
    return float(np.linalg.norm(vector_area(Mesh(template.vertices, faces), np.asarray(mask[faces].all(1)))))


def _region_share(completion: Completion, mask: Bools, *, reach_mm: float = 40.0) -> Floats:
    """How much each vertex of the scan belongs to a region of the face, (V,): 1 within it, 0 outside."""
    evidence = completion.context
    faces = evidence.template.faces[FINEST_LEVEL]
    in_face = evidence.fit.pose.apply(evidence.scan.mm.mesh.vertices)
    found = Surface(Mesh(evidence.projection.vertices, faces)).closest(in_face)
    share = np.einsum("vk,vk->v", found.barycentric, mask[faces[found.faces]].astype(float))
    return np.where(found.distance < reach_mm, share, 0.0)


def defects_of(source: DesignSurface, *, margin_mm: float, least_mm2: float) -> list[Defect]:
    """The defects of a surface, largest first: of a marked scan what was marked, also as far as the scan's border."""
    marked, scan = (source.bed, source.tissue) if source.marked else (None, None)
    return find_defects(
        source.merged, source.in_patch, margin_mm=margin_mm, least_mm2=least_mm2, marked=marked, scan=scan
    )


def select_defect(
    source: DesignSurface, *, region: str | None, part: int, margin_mm: float, least_mm2: float
) -> Defect:
    """The defect that a part is designed for: that of the region, or the part-th largest.

    Parameters
    ----------
    source : DesignSurface
    region : name of the region, or None
    part : number of the defect where there is no region, the largest is 0
    margin_mm, least_mm2 : see `find_defects`

    Raises
    ------
    ValueError, ScanError
        When there is none such.
    """
    defects = defects_of(source, margin_mm=margin_mm, least_mm2=least_mm2)
    if region is None:
        if not 0 <= part < len(defects):
            raise ValueError(f"there is no part {part}; the scan lacks {len(defects)}, counted from 0")
        return defects[part]
    tree = cKDTree(source.face[region_mask(source.template, region)])
    shares = [
        (tree.query(source.merged.vertices[np.unique(source.merged.faces[d.faces])])[0] < NEAR_REGION_MM).mean()
        for d in defects
    ]
    if max(shares) < 0.5:
        raise ScanError(f"there is no enclosed hole where {region!r} was; is there skin all around it in the scan?")
    return defects[int(np.argmax(shares))]
