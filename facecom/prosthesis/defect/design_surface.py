"""What a part is made from: the completed surface in the face frame, the defect in it, and the wound's own surface."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from facecom.completion import Completion
from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges, face_areas, face_cross
from facecom.geometry.transform import fit_similarity
from facecom.model.template import Template
from facecom.prosthesis.defect.neighbourhood import Defect
from facecom.prosthesis.defect.recomplete import recomplete
from facecom.prosthesis.defect.regions import auricle, region_mask
from facecom.prosthesis.shell.outer_surface import find_defects
from facecom.prosthesis.solid.clipping import clip_faces
from facecom.provenance import Provenance
from facecom.skin.detail import Detail


@dataclass(frozen=True, eq=False)
class DesignSurface:
    """A completed surface, mm, face frame.

    completion : what it comes from
    merged : Mesh, the scan and what was made
    made : (F,) bool, faces that were made
    provenance : (V,) int, a `Provenance`
    sigma_mm : (V,) float
    face : (T, 3) float, the whole face in the template's topology
    weights : (V, T) sparse, each made vertex as a mean of vertices of the face; measured ones have none
    bed : Mesh or None, scan surface that the part replaces
    skin : Detail or None, relief for what was made
    cavities : whether the surface may show a mouth or a socket from within, as scans do
    """

    completion: Completion
    merged: Mesh
    made: Bools
    provenance: Ints
    sigma_mm: Floats
    face: Floats
    weights: sp.csr_matrix
    bed: Mesh | None = None
    skin: Detail | None = None
    cavities: bool = True

    @property
    def template(self) -> Template:
        """The face template."""
        return self.completion.template

    def sha256(self) -> str:
        """Hash of the surface and of what was made of it."""
        digest = hashlib.sha256()
        for array in (self.merged.vertices, self.merged.faces, self.made, self.provenance, self.sigma_mm):
            digest.update(np.ascontiguousarray(array).tobytes())
        for mesh in (self.bed, None if self.skin is None else self.skin.mesh):
            digest.update(b"" if mesh is None else mesh.vertices.tobytes())
        return digest.hexdigest()

    @classmethod
    def of(cls, completion: Completion, *, bed: Mesh | None = None) -> DesignSurface:
        """The surface of a completion; `bed` in the face frame."""
        evidence = completion.context
        merged = evidence.stitched.merged
        made = np.arange(len(merged.faces)) >= len(evidence.scan.mesh.faces)
        provenance = completion.merged_provenance
        own = evidence.stitched.weights
        weights = sp.vstack([sp.csr_matrix((len(merged.vertices) - own.shape[0], own.shape[1])), own]).tocsr()
        face = evidence.projection.vertices
        sigma = completion.merged_sigma_mm
        return cls(completion, merged, made, provenance, sigma, face, weights, bed, evidence.detail)

    def moved(self, other: Completion) -> DesignSurface:
        """The same surface with what was made moved as in another completion of the same scan, such as a sample."""
        shift = other.context.projection.vertices - self.completion.context.projection.vertices
        merged = self.merged.with_vertices(self.merged.vertices + self.weights @ shift)
        return replace(self, completion=other, merged=merged, face=self.face + shift, skin=None)

    @classmethod
    def of_face(
        cls, completion: Completion, mask: Bools, *, keep_mm: float = 9.0, hole_mm: float = 12.0
    ) -> DesignSurface:
        """The completed face in the template's topology, (T,) `mask` of which counts as made.

        For parts that scans show poorly and that stand off the head, such as ears: no hole has to be cut. What the scan
        lacks next to the mask, up to `hole_mm` from it, counts as made too, so that the margin finds healthy skin.
        """
        evidence = completion.context
        template, face = evidence.template, evidence.projection.vertices
        whole = Mesh(face, template.faces[3])
        # The template ends behind the ears; what lies near its border stays skin, so that a margin finds room.
        border = geodesic_distance(whole, boundary_edges(whole.faces).ravel(), reach_mm=keep_mm)
        mask = _grown(whole, mask, completion.provenance != Provenance.OBSERVED, hole_mm) & np.isinf(border)
        provenance = completion.provenance
        made = np.asarray(mask[template.faces[3]].all(1))
        weights = sp.identity(len(face), format="csr")
        return cls(completion, whole, made, provenance, completion.sigma_mm, face, weights, cavities=False)


def _grown(mesh: Mesh, mask: Bools, more: Bools, reach_mm: float) -> Bools:
    """A mask with those of some more vertices that hang together with it, as far as a distance along the surface."""
    part, used = mesh.submesh(np.asarray((mask | more)[mesh.faces].all(1)))
    out = mask.copy()
    out[used] |= np.isfinite(geodesic_distance(part, np.flatnonzero(mask[used]), reach_mm=reach_mm))
    return out


def without_region(completion: Completion, name: str) -> DesignSurface:
    """Take a region out of the scan and complete it anew; what was taken out is the wound bed.

    The pose is known, so that the work begins with the fit.

    Raises
    ------
    ValueError
        When the name is unknown.
    ScanError
        When nothing of the scan is left.
    """
    under = _scanned(completion, region_mask(completion.template, name)) > 0.5
    taken = np.asarray(under[completion.context.scan.mm.mesh.faces].any(1))
    if taken.all():
        raise ScanError(f"the scan shows nothing but the region {name!r}; scan more of the face around it")
    if not taken.any():
        return DesignSurface.of(completion)
    again = recomplete(completion, ~taken)
    bed, _ = completion.context.scan.mm.mesh.submesh(taken)
    return DesignSurface.of(again, bed=bed.with_vertices(again.context.fit.pose.apply(bed.vertices)))


def without_ear(
    completion: Completion, name: str, *, least_seen: float = 0.5, high_mm: float = 6.0, least_bed: float = 0.3
) -> DesignSurface:
    """The head with one ear counted as made; where the scan shows skin in its place, that is the wound bed.

    Parameters
    ----------
    name : "l_ear" or "r_ear"
    least_seen : an ear is there when this share of its vertices that stand off the head was measured
    high_mm : they stand off by more than this
    least_bed : a wound bed is there when the scan shows this share of the area that the ear's root takes
    """
    template = completion.template
    mask = region_mask(template, name)
    high = auricle(template, name, least_mm=high_mm, root_mm=1.0)
    scan, share = completion.context.scan.mm.mesh, _scanned(completion, mask)
    # What lies on the region's border stays: the margin then has measured skin right up to it.
    taken = np.asarray((share[scan.faces] > 0.5).all(1))
    shown = face_areas(scan)[taken].sum()
    if (completion.provenance[high] == Provenance.OBSERVED).mean() > least_seen or shown < least_bed * _root_mm2(
        template, mask
    ):
        return DesignSurface.of_face(completion, mask)
    again = recomplete(completion, ~taken)
    bed, _ = clip_faces(scan, 0.5 - share, 0.0)
    return replace(
        DesignSurface.of_face(again, mask), bed=bed.with_vertices(again.context.fit.pose.apply(bed.vertices))
    )


def _root_mm2(template: Template, mask: Bools) -> float:
    """Area that a region's border encloses, seen the way it looks, mm2."""
    rows = mask[template.faces[3]].all(1)
    return float(np.linalg.norm(0.5 * face_cross(template.vertices, template.faces[3][rows]).sum(0)))


def _scanned(completion: Completion, mask: Bools, *, reach_mm: float = 40.0) -> Floats:
    """How much each vertex of the scan belongs to a region of the face, (V,): 1 within it, 0 outside."""
    evidence = completion.context
    faces = evidence.template.faces[3]
    in_face = evidence.fit.pose.apply(evidence.scan.mm.mesh.vertices)
    found = Surface(Mesh(evidence.projection.vertices, faces)).closest(in_face)
    share = np.einsum("vk,vk->v", found.barycentric, mask[faces[found.faces]].astype(float))
    return np.where(found.distance < reach_mm, share, 0.0)


def mirror_region(
    source: DesignSurface, mask: Bools, *, least_seen: float = 0.6, ring_mm: float = 25.0, reach_mm: float = 12.0
) -> DesignSurface:
    """The same surface with a region copied from the other side of the face, where that was seen.

    The reflected side is laid on by the skin around the region that was seen on both sides. What still parts the two
    along the region's border is carried inwards and fades with the distance (a screened membrane), so that the copy
    keeps its shape and joins without a step.

    Parameters
    ----------
    mask : (T,) bool, template vertices of the region
    least_seen : share of the other side that must have been measured; with less the fitted shape stays
    ring_mm : how far around the region skin is used to lay the other side on
    reach_mm : how far from the border the copy is bent to meet it
    """
    template, partner = source.template, source.template.mirror
    measured = source.completion.provenance == Provenance.OBSERVED
    if measured[partner][mask].mean() < least_seen:
        return source
    near = cKDTree(template.vertices[mask]).query(template.vertices)[0] < ring_mm
    ring = near & ~mask & measured & measured[partner]
    if ring.sum() < 50:
        return source
    reflected = source.face[partner] * [-1.0, 1.0, 1.0]
    laid = fit_similarity(reflected[ring], source.face[ring]).apply(reflected)
    shift = np.where(mask[:, None], laid - source.face, 0.0)
    shift[mask] += _extrapolated(template, source.face - laid, mask, reach_mm)
    copied = source.weights @ (mask & measured[partner]).astype(float) > 0.5
    merged = source.merged.with_vertices(source.merged.vertices + source.weights @ shift)
    # How alike the two sides are is seen on the skin around, where both were measured.
    unlike = float(np.sqrt(((laid - source.face)[ring] ** 2).sum(1).mean()))
    sigma = np.hypot(source.weights @ source.completion.sigma_mm[partner], unlike)
    return replace(
        source,
        merged=merged,
        face=source.face + shift,
        provenance=np.where(copied, Provenance.MIRRORED, source.provenance),
        sigma_mm=np.where(copied, sigma, source.sigma_mm),
    )


def _extrapolated(template: Template, gap: Floats, mask: Bools, reach_mm: float) -> Floats:
    """A gap known outside a region, (T, 3), carried into it: equal at its border, fading inwards."""
    faces = template.faces[3]
    stiffness = cotangent_stiffness(template.vertices, faces)
    screened = (stiffness + sp.diags(vertex_areas(template.vertices, faces) / reach_mm**2)).tocsr()[mask]
    return np.asarray(spsolve(screened[:, mask].tocsc(), -(stiffness[mask][:, ~mask] @ gap[~mask])))


def pick_defect(source: DesignSurface, *, region: str | None, part: int, margin_mm: float, least_mm2: float) -> Defect:
    """The defect that a part is made for: that of the region, or the part-th largest.

    Raises
    ------
    ValueError, ScanError
        When there is none such.
    """
    defects = find_defects(source.merged, source.made, margin_mm=margin_mm, least_mm2=least_mm2)
    if region is not None:
        tree = cKDTree(source.face[region_mask(source.template, region)])
        share = [
            (tree.query(source.merged.vertices[np.unique(source.merged.faces[d.faces])])[0] < 8.0).mean()
            for d in defects
        ]
        if max(share) < 0.5:
            raise ScanError(f"nothing closed was made where {region!r} was; is there skin all around it in the scan?")
        return defects[int(np.argmax(share))]
    if not 0 <= part < len(defects):
        raise ValueError(f"there is no part {part}; the scan lacks {len(defects)}, counted from 0")
    return defects[part]
