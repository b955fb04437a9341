# %% [markdown]
# # Data of your own
#
# What `complete` and `register` take, and what to do when the answer is no.

# %%
from pathlib import Path

import numpy as np

import facecom
from facecom.io.conversion import to_open3d, to_trimesh

SCAN = Path("data/demo/orbit_and_cheek.obj")

# %% [markdown]
# A path, a `Mesh`, a pair of arrays or tensors, and meshes and clouds of trimesh, Open3D, PyTorch3D and PyVista are all
# scans. Nothing is merged or reordered, and what you pass is not changed.

# %%
scan = facecom.read_scan(SCAN)
forms = {
    "path": SCAN,
    "mesh": scan,
    "arrays": (np.array(scan.vertices), np.array(scan.faces)),
    "trimesh": to_trimesh(scan),
    "Open3D": to_open3d(scan),
}
for name, form in forms.items():
    mesh = facecom.as_mesh(form)
    print(f"{name}: {len(mesh.vertices)} vertices, {len(mesh.faces)} triangles")

# %% [markdown]
# Units: millimetres inside, the scan's own outside. `auto` reads the unit off the size of the face; say it where you
# know it. Landmarks are never needed; any that you have help, by name.

# %%
completion = facecom.complete(scan, unit="mm")
landmarks = {"nose_tip": completion.landmarks["nose_tip"]}
again = facecom.complete(scan, unit="mm", landmarks=landmarks)
moved = np.linalg.norm(again.face.vertices - completion.face.vertices, axis=1).mean()
print(f"with its own nose tip as a landmark the face moves by {moved:.2f} mm")
print(f"removed before the fit: {dict(completion.report.removed)}")
print("warnings:", *(completion.report.warnings or ("none",)))

# %% [markdown]
# What is no face is refused in one sentence; catch the error you can do something about.

# %%
ball = np.random.default_rng(0).normal(size=(3000, 3))
ball = 80 * ball / np.linalg.norm(ball, axis=1, keepdims=True)
for bad in (ball, scan.vertices[:10], Path("no_such_file.ply")):
    try:
        facecom.complete(bad, unit="mm")
    except facecom.FacecomError as error:
        print(f"{type(error).__name__}: {error}")
