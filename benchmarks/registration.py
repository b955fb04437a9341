"""Dense correspondence against a known truth, ours beside other people's: prints one table.

    python benchmarks/registration.py DATA [--scans 20] [--methods ours ...] [--keep FOLDER] [--json FILE]

DATA is a folder of faces in one topology (the SIMPOP faces of MeshMonk, Apache-2.0): vertex i of each is the same spot.
Each face is registered on its own, without being told the topology. Then every vertex of one scan is carried to every
other: onto the first registered face, by its triangle onto the second, and from there onto the second scan; the error
is the distance to where it truly is. `surface` is the distance of the scan's vertices to the registered face. Seconds
are of the processor, for one scan, after the model is loaded; methods other than ours are given the pose that ours
found, and the seconds for that are not theirs. With --keep, registered faces are kept in a folder, and a run that was
stopped goes on from there.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecom.completion import COMPLETION, CompletionState, Scan, known
from facecom.completion.alignment import face_mask
from facecom.errors import need
from facecom.evaluation.baselines import nricp
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.registration import RegistrationSettings, RelaxSettings, register

NRICP_LEVEL, MESHMONK_LEVEL = 1, 2
"""Levels of the template that others move: nricp takes minutes for a scan on finer ones."""
FRONT_MM = 95.0


@dataclass(frozen=True, eq=False)
class Posed:
    """A prepared scan and what the linear fit found in so many seconds."""

    scan: Scan
    pose: Similarity
    code: Floats
    seconds: float


@dataclass(frozen=True, eq=False)
class Registered:
    """A face that a method made of a scan, in the scan's frame, mm, in so many seconds."""

    mesh: Mesh
    seconds: float


Method = Callable[[Mesh, Posed, LinearGenerator], Mesh]
"""The registered face in the scan's frame, mm."""


def posed(scan: Mesh, model: LinearGenerator) -> Posed:
    """Pose and code of a scan, as `complete` and `register` find them."""
    since = time.process_time()
    state = CompletionState(raw=scan, unit="mm", model=model)
    state = COMPLETION.starting_at("clean").up_to("fit").run(state)
    prepared, fitted = known(state.scan, "clean"), known(state.fit, "fit")
    return Posed(prepared, fitted.pose, fitted.code, time.process_time() - since)


def ours(scan: Mesh, _: Posed, model: LinearGenerator) -> Mesh:
    """`facecom.register` as it comes."""
    return register([scan], unit="mm", model=model)[0].mesh


def not_slid(scan: Mesh, _: Posed, model: LinearGenerator) -> Mesh:
    """Ours without letting vertices slide along the scan."""
    still = RegistrationSettings(relax=RelaxSettings(iterations=0))
    return register([scan], unit="mm", model=model, settings=still)[0].mesh


def linear_fit(_: Mesh, found: Posed, model: LinearGenerator) -> Mesh:
    """The model alone: no vertex leaves its span."""
    vertices = model.decode(found.code, level=3)
    return Mesh(found.pose.inverse().apply(vertices), model.template.faces[3])


def _front(found: Posed, model: LinearGenerator, code: Floats, level: int) -> Mesh:
    """A face of the model in the scan's pose, without scalp, ears and neck: the scans are faces alone."""
    mesh = Mesh(found.pose.inverse().apply(model.decode(code, level=level)), model.template.faces[level])
    proper = face_mask(model.template, level=level, radius_mm=FRONT_MM)
    return mesh.submesh(proper[mesh.faces].all(axis=1))[0]


def nricp_as_it_comes(_: Mesh, found: Posed, model: LinearGenerator) -> Mesh:
    """From the mean face, with trimesh's own settings."""
    return nricp(found.scan.mm.mesh, _front(found, model, np.zeros(model.code_size), NRICP_LEVEL))


def nricp_gated(_: Mesh, found: Posed, model: LinearGenerator) -> Mesh:
    """From the linear fit, which lies within the gate; from the mean little would."""
    return nricp(found.scan.mm.mesh, _front(found, model, found.code, NRICP_LEVEL), gate_mm=1.0)


def meshmonk(_: Mesh, found: Posed, model: LinearGenerator) -> Mesh:
    """MeshMonk's rigid and then pyramid registration of the mean face, with its defaults."""
    monk = need("meshmonk", extra="peers")
    face = _front(found, model, np.zeros(model.code_size), MESHMONK_LEVEL)
    target = found.scan.mm.mesh
    result = monk.pyramid_register(
        floating_features=_features(face),
        target_features=_features(target),
        floating_faces=face.faces.astype(np.int32),
        target_faces=target.faces.astype(np.int32),
        rigid_params={},
    )
    return face.with_vertices(result.aligned_features[:, :3])


def _features(mesh: Mesh) -> np.ndarray:
    return np.concatenate([mesh.vertices, vertex_normals(mesh.vertices, mesh.faces)], axis=1).astype(np.float32)


METHODS: dict[str, Method] = {
    "ours": ours,
    "ours, not slid": not_slid,
    "linear fit": linear_fit,
    "meshmonk": meshmonk,
    "nricp, 1 mm gate": nricp_gated,
    "nricp": nricp_as_it_comes,
}


def carried_errors(scans: Sequence[Mesh], registered: Sequence[Mesh]) -> tuple[Floats, float]:
    """Errors (P, V) in mm of every vertex for every ordered pair of scans, and the mean distance to the surface."""
    on_own = [Surface(face).closest(scan.vertices) for scan, face in zip(scans, registered, strict=True)]
    surfaces = [Surface(scan) for scan in scans]
    errors = []
    for a, b in itertools.permutations(range(len(scans)), 2):
        corners = registered[b].vertices[registered[b].faces[on_own[a].faces]]
        there = np.einsum("nk,nkd->nd", on_own[a].barycentric, corners)
        errors.append(np.linalg.norm(surfaces[b].closest(there).points - scans[b].vertices, axis=1))
    return np.array(errors), float(np.mean([found.distance.mean() for found in on_own]))


def registered_by(
    name: str, scan: Mesh, pose: Callable[[], Posed], model: LinearGenerator, kept: Path | None
) -> Registered:
    """What a method makes of a scan; from the file of an earlier run where there is one."""
    if kept is not None and kept.exists():
        with np.load(kept) as stored:
            return Registered(Mesh(stored["vertices"], stored["faces"]), float(stored["seconds"]))
    found = pose()
    since = time.process_time()
    mesh = METHODS[name](scan, found, model)
    seconds = time.process_time() - since + (found.seconds if name == "linear fit" else 0.0)
    if kept is not None:
        part = kept.with_name("part.npz")
        np.savez(part, vertices=mesh.vertices, faces=mesh.faces, seconds=seconds)
        part.replace(kept)
    return Registered(mesh, seconds)


def row(scans: Sequence[Mesh], found: Sequence[Registered]) -> dict[str, float]:
    """The figures of one method."""
    errors, surface = carried_errors(scans, [one.mesh for one in found])
    return {
        "mean_mm": float(errors.mean()),
        "median_mm": float(np.median(errors)),
        "p95_mm": float(np.quantile(errors, 0.95)),
        "surface_mm": surface,
        "seconds": float(np.mean([one.seconds for one in found])),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with SIMPOP_01.obj, ...")
    parser.add_argument("--scans", type=int, default=20, help="how many of them")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=tuple(METHODS))
    parser.add_argument("--keep", type=Path, help="folder for the registered faces; those in it are not made again")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    files = sorted(options.data.glob("*.obj"))[: options.scans]
    scans = [read_scan(file) for file in files]
    model = LinearGenerator.load()
    given = [functools.cache(functools.partial(posed, scan, model)) for scan in scans]
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    print(f"{len(scans)} faces, {len(scans[0].vertices)} vertices each, {len(scans) * (len(scans) - 1)} pairs")
    print("| method | carried, mean mm | median mm | 95 % mm | surface mm | seconds |", "| --- " * 6 + "|", sep="\n")
    rows = {}
    for name in options.methods:
        kept = [options.keep and options.keep / f"{name.replace(' ', '_')}-{file.stem}.npz" for file in files]
        made = [registered_by(name, *each, model, at) for *each, at in zip(scans, given, kept, strict=True)]
        r = rows[name] = row(scans, made)
        carried = f"{r['mean_mm']:.2f} | {r['median_mm']:.2f} | {r['p95_mm']:.2f}"
        print(f"| {name} | {carried} | {r['surface_mm']:.3f} | {r['seconds']:.1f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"scans": len(scans), "methods": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
