# %% [markdown]
# # Register twenty scans and build a model from them
#
# Registered scans share one topology: vertex i lies on the same spot of every face, so that landmarks, means and
# principal components make sense. Here the scans are drawn from facecom's own model, in poses and with triangles of
# their own; put your files in `scans` instead.

# %%
from pathlib import Path

import numpy as np

import facecom
from facecom.geometry.clustering import cluster_vertices
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.registration import linear_model, procrustes, write_landmarks, write_registrations

COUNT = 20  # tests: 3
OUT = Path("out/register")

# %%
model = facecom.load_model()
rng = np.random.default_rng(0)
scans = []
for seed in range(COUNT):
    pose = Similarity(rotation_from_vector(rng.normal(size=3) * 0.3), rng.normal(size=3) * 50)
    face = model.sample(seed, level=2)
    scan, _ = cluster_vertices(face.with_vertices(pose.apply(face.vertices)), cell_mm=3.0)
    scans.append(scan)

# %% [markdown]
# Each registration carries the surface, its distance to the scan, what was observed, landmarks, and a verdict.

# %%
registrations = facecom.register(scans, unit="mm", model=model)
for result in registrations:
    print(f"{result.name}: {result.verdict}")

# %% [markdown]
# Landmarks come along for free; 3D Slicer opens the `.mrk.json`.

# %%
OUT.mkdir(parents=True, exist_ok=True)
write_landmarks(OUT / "first.mrk.json", registrations[0].landmarks)
width = np.linalg.norm(registrations[0].landmarks["right_exocanthion"] - registrations[0].landmarks["left_exocanthion"])
print(f"from outer corner to outer corner of the eyes: {width:.1f} mm")

# %% [markdown]
# Without their poses the faces have a mean, and deviations from it.

# %%
superposed = procrustes([result.in_face_frame for result in registrations])
spread = np.linalg.norm(superposed.faces - superposed.mean, axis=2)
print(f"{len(registrations)} faces lie {spread.mean():.2f} mm from their mean, on average")

# %% [markdown]
# Principal components make a new face model, which `complete` takes. So few faces span few others: a share of the
# shipped model's variance makes up for it.

# %%
made = linear_model([result.in_face_frame for result in registrations], model, base_share=0.3)
made.save(OUT / "my_model")
completion = facecom.complete("data/demo/nose.ply", model=facecom.load_model(OUT / "my_model"))
print(f"{made.description['modes']} modes of our own; completed: {completion.report.made_up_share:.0%} made up")

# %% [markdown]
# All files at once, as `facecom register SCANS... --out DIR` writes them:

# %%
write_registrations(registrations, OUT / "all", model=model, base_share=0.3)
print(*sorted(path.name for path in (OUT / "all").iterdir())[:6], "...")
