"""What the linear fit leaves over on damaged faces that its population does not hold: training data of the inpainter.

python -m training.guidance_residuals --makehuman DATA/makehuman_cc0/makehuman_head.npz --out out/guidance/residuals.npz

Two thirds of the faces are MakeHuman heads, which the shipped generator never saw, carried onto the template; one
third is drawn from the generator. Smooth bumps of skin, partly mirrored, are added to all. Each face loses a part, the
generator is fitted to the rest (Gaussian posterior mean, point to plane), and fit and face are rendered from one side.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import linalg

from facecom.completion import complete, face_proper
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.geometry.transform import Similarity, fit_similarity, rotation_from_vector
from facecom.guidance.camera import Camera, view_cameras
from facecom.guidance.inpaint import hole_mask, network_input
from facecom.guidance.render import Render, render
from facecom.model.linear import LinearGenerator

LEVEL = 2
FIT_LEVEL = 1
ROWS = 900
NOISE_MM = 0.3
VIEWS_A_FACE = 2
PROPER_MM = 80.0
TARGETS = 5
"""Channels of a target: residual in mm, change of the normal in the face frame (3), whether it counts."""


@dataclass(frozen=True, eq=False)
class MakeHuman:
    """The MakeHuman head on the template: neutral (V, 3), targets (K, V, 3), mm, face frame, and their names."""

    neutral: Floats
    targets: np.ndarray
    names: tuple[str, ...]

    def sample(self, rng: np.random.Generator) -> Floats:
        """A head with a few targets switched on, (V, 3)."""
        weight = np.zeros(len(self.names))
        macro = np.array([n.startswith("macrodetails") for n in self.names])
        play = np.array([n.startswith("expression") for n in self.names])
        parts = ~macro & ~play
        weight[parts] = rng.uniform(0, 0.5, parts.sum()) * (rng.uniform(size=parts.sum()) < 0.08)
        weight[play] = rng.uniform(0, 0.2, play.sum()) * (rng.uniform(size=play.sum()) < 0.01)
        chosen = rng.choice(np.flatnonzero(macro), 2, replace=False)
        weight[chosen] = rng.uniform(0, 0.6, 2)
        head = self.neutral + np.tensordot(weight.astype(np.float32), self.targets, axes=1)
        core = (np.hypot(self.neutral[:, 0], self.neutral[:, 1] - 10) < 80) & (self.neutral[:, 2] > -80)
        # Macro targets raise and lower the head with the body, and shrink it to a child's.
        back = fit_similarity(head[core], self.neutral[core], with_scale=True).apply(head)
        return back * rng.normal(1.0, 0.03)


def register_makehuman(path: Path, model: LinearGenerator) -> MakeHuman:
    """Complete the neutral head to bring the template onto it, then carry the targets over."""
    with np.load(path, allow_pickle=False) as stored:
        raw = {name: stored[name] for name in stored.files}
    quads = raw["quads"][raw["quad_group"] == "body"]
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    head, used = Mesh(raw["neutral"], faces).submesh(np.ones(len(faces), bool))
    done = complete(head, unit="mm", model=model)
    count = model.template.counts[LEVEL]
    return carried(done.evidence.projected.vertices[:count], done.pose, head, used, raw)


def carried(neutral: Floats, pose: Similarity, head: Mesh, used: np.ndarray, raw: dict[str, np.ndarray]) -> MakeHuman:
    found = Surface(head.with_vertices(pose.apply(head.vertices))).closest(neutral)
    corners = head.faces[found.faces]
    start, names = raw["target_start"], tuple(str(n) for n in raw["target_names"])
    targets = np.zeros((len(names), len(neutral), 3), np.float32)
    for k in range(len(names)):
        full = np.zeros((len(raw["neutral"]), 3))
        part = slice(start[k], start[k + 1])
        full[raw["target_index"][part]] = raw["target_delta"][part]
        moves = pose.rotate(full[used])
        targets[k] = np.einsum("vk,vkd->vd", found.barycentric, moves[corners])
    return MakeHuman(neutral, targets, names)


def bumps(vertices: Floats, normals: Floats, mirror: np.ndarray, rng: np.random.Generator) -> Floats:
    """Smooth offsets along the normals, up to a millimetre or so, half of them on both sides."""
    total = np.zeros(len(vertices))
    for _ in range(rng.integers(4, 14)):
        centre, width = vertices[rng.integers(len(vertices))], rng.uniform(8, 30)
        bump = rng.normal(0, 0.5) * np.exp(-0.5 * np.sum((vertices - centre) ** 2, axis=1) / width**2)
        total += bump + bump[mirror] if rng.uniform() < 0.5 else bump
    return total[:, None] * normals


def defect(mean: Floats, rng: np.random.Generator) -> Bools:
    """Which vertices are lost: balls about points of the face proper, or one half; judged on the mean face."""
    if rng.uniform() < 0.15:
        return mean[:, 0] * rng.choice([-1, 1]) > rng.uniform(-3, 15)
    lost = np.zeros(len(mean), bool)
    proper = np.flatnonzero((np.hypot(mean[:, 0], mean[:, 1] - 5) < 70) & (mean[:, 2] > -65))
    for _ in range(rng.choice([1, 1, 2, 3])):
        away = mean - mean[rng.choice(proper)]
        wave = 1 + 0.08 * np.sin(away[:, 0] / 5 + rng.uniform(0, 6)) * np.sin(away[:, 1] / 6)
        lost |= np.linalg.norm(away, axis=1) < rng.uniform(12, 36) * wave
    return lost


def posterior_fit(
    model: LinearGenerator, truth: Floats, seen: Bools, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Code and truth (V, 3) moved into the frame of the fit, by two Gauss-Newton steps on a sample of seen vertices."""
    count = model.template.counts[FIT_LEVEL]
    jacobian = model.jacobian(np.zeros(model.code_size), level=FIT_LEVEL).reshape(count, 3, -1)
    code = np.zeros(model.code_size)
    usable = np.flatnonzero(seen[:count])
    pick = np.sort(rng.choice(usable, min(ROWS, len(usable)), replace=False))
    weight = len(usable) / len(pick) / NOISE_MM**2
    faces = model.template.faces[LEVEL]
    for _ in range(2):
        at = model.decode(code, level=FIT_LEVEL)[pick]
        normal = vertex_normals(truth, faces)[pick]
        rows = np.concatenate([np.einsum("nd,ndm->nm", normal, jacobian[pick]), np.cross(at, normal), normal], axis=1)
        gaps = np.einsum("nd,nd->n", normal, truth[pick] - at)
        precision, slope = weight * rows.T @ rows, weight * rows.T @ gaps
        precision[np.arange(len(code)), np.arange(len(code))] += 1.0
        precision[range(-6, 0), range(-6, 0)] += 1e-6
        slope[: len(code)] -= code
        delta = linalg.solve(precision, slope, assume_a="pos")
        code = code + delta[:-6]
        truth = Similarity(rotation_from_vector(delta[-6:-3]), delta[-3:]).inverse().apply(truth)
    return code, truth


def example(scan: Render, face: Render, whole: Render, scale_mm: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Input (7, S, S) and target (5, S, S) of one view; None where it shows too little."""
    try:
        mask = hole_mask(scan, face)
    except ValueError:
        return None
    counts = mask & whole.mask & (np.abs(np.nan_to_num(whole.depth - face.depth)) < 10)
    if counts.sum() < 20:
        return None
    residual = np.where(counts, np.nan_to_num(whole.depth - face.depth), 0.0)
    turn = np.where(counts[..., None], whole.normals - face.normals, 0.0).transpose(2, 0, 1)
    return network_input(scan, face, mask, scale_mm=scale_mm), np.concatenate([[residual], turn, [counts]])


def make(
    model: LinearGenerator, people: MakeHuman, *, count: int, size: int, half_mm: float, scale_mm: float, seed: int
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    cameras = list(view_cameras(size=size, half_mm=half_mm).values())
    template, level_count = model.template, model.template.counts[LEVEL]
    mean, mirror, faces = template.vertices[:level_count], template.mirror[:level_count], template.faces[LEVEL]
    proper = (np.hypot(mean[:, 0], mean[:, 1] - 10) < 95) & (mean[:, 2] > -95)
    inputs, targets, source = [], [], []
    for k in range(count):
        foreign = k % 3 < 2
        truth = people.sample(rng) if foreign else model.sample(seed + k, level=LEVEL, discrepancy=True).vertices
        truth = truth + bumps(mean, vertex_normals(truth, faces), mirror, rng)
        seen = proper & ~defect(mean, rng)
        code, truth = posterior_fit(model, truth, seen, rng)
        for pair in _views(model, code, Mesh(truth, faces), seen, cameras, rng, scale_mm):
            inputs.append(pair[0].astype(np.float16))
            targets.append(pair[1].astype(np.float16))
            source.append(foreign)
    return {"inputs": np.stack(inputs), "targets": np.stack(targets), "foreign": np.array(source)}


def _views(
    model: LinearGenerator,
    code: Floats,
    whole: Mesh,
    seen: Bools,
    cameras: list[Camera],
    rng: np.random.Generator,
    scale_mm: float,
) -> list[tuple[np.ndarray, np.ndarray]]:
    fitted = Surface(Mesh(model.decode(code, level=LEVEL), whole.faces))
    proper = face_proper(model.template, level=LEVEL, radius_mm=PROPER_MM).astype(int)
    scan, complete_surface = Surface(whole.submesh(seen[whole.faces].all(axis=1))[0]), Surface(whole)
    made = []
    for index in rng.choice(len(cameras), VIEWS_A_FACE, replace=False, p=[0.4, 0.2, 0.2, 0.2]):
        camera = cameras[index]
        try:
            face = render(fitted, camera, labels=proper)
            pictures = [render(scan, camera), face, render(complete_surface, camera)]
        except ValueError:
            continue
        pair = example(*pictures, scale_mm)
        if pair is not None:
            made.append(pair)
    return made


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--makehuman", type=Path, required=True)
    p.add_argument("--count", type=int, default=400)
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--half-mm", type=float, default=85.0)
    p.add_argument("--scale-mm", type=float, default=2.0)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    model = LinearGenerator.load()
    people = register_makehuman(a.makehuman, model)
    made = make(model, people, count=a.count, size=a.size, half_mm=a.half_mm, scale_mm=a.scale_mm, seed=a.seed)
    a.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(a.out, **made, size=a.size, half_mm=a.half_mm, scale_mm=a.scale_mm)


if __name__ == "__main__":
    main()
