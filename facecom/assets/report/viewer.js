"use strict";
(() => {
  const place = document.getElementById("view");
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const types = {u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i2: Int16Array};

  function unpack(array) {
    if (!array) return null;
    const raw = atob(array.data), bytes = new Uint8Array(raw.length);
    for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
    return new types[array.type](bytes.buffer);
  }

  function column(values, k, factor) {
    const out = new Float32Array(values.length / 3);
    for (let i = 0; i < out.length; i++) out[i] = values[3 * i + k] * factor;
    return out;
  }

  function painted(bytes) {
    if (!bytes) return null;
    const out = new Array(bytes.length / 3);
    for (let i = 0; i < out.length; i++) out[i] = `rgb(${bytes[3 * i]},${bytes[3 * i + 1]},${bytes[3 * i + 2]})`;
    return out;
  }

  const meshes = {};
  for (const [name, packed] of Object.entries(scene.objects)) {
    const xyz = unpack(packed.xyz), faces = unpack(packed.faces);
    meshes[name] = {
      x: column(xyz, 0, scene.step_mm), y: column(xyz, 1, scene.step_mm), z: column(xyz, 2, scene.step_mm),
      i: column(faces, 0, 1), j: column(faces, 1, 1), k: column(faces, 2, 1), faces,
      distance: unpack(packed.distance), sigma: unpack(packed.sigma), provenance: unpack(packed.provenance),
      paint: painted(unpack(packed.colour))
    };
  }

  // plotly places the light in front of the viewer, in units of the picture: it stays there when the face turns.
  const light = {
    lighting: {ambient: 0.25, diffuse: 0.78, specular: 0.05, roughness: 0.6, fresnel: 0.05},
    lightposition: {x: -70000, y: 90000, z: -600}, flatshading: false, hoverinfo: "skip"
  };

  // A value of 255 means that there is nothing to show: it is drawn in the grey at the top end of the scale.
  function ramp() {
    const top = scene.levels / 255, steps = scene.ramp.length - 1;
    const scale = scene.ramp.map((colour, k) => [top * k / steps * 0.9999, colour]);
    return scale.concat([[top, scene.no_value], [1, scene.no_value]]);
  }

  function byProvenance(mesh) {
    const kinds = scene.provenance, count = mesh.faces.length / 3, cells = new Uint8Array(count), own = mesh.provenance;
    for (let f = 0; f < count; f++) {
      cells[f] = Math.max(own[mesh.faces[3 * f]], own[mesh.faces[3 * f + 1]], own[mesh.faces[3 * f + 2]]);
    }
    const scale = [];
    kinds.forEach((kind, k) => scale.push([k / kinds.length, kind.colour], [(k + 1) / kinds.length, kind.colour]));
    return {intensity: cells, intensitymode: "cell", colorscale: scale, cmin: -0.5, cmax: kinds.length - 0.5,
      showscale: false};
  }

  // Drawn here and not by plotly, whose bars stay when the colours change, and are black in a page from a file.
  function legend() {
    const box = document.getElementById("scale"), high = scene.high[state.colour];
    box.hidden = high === undefined;
    if (box.hidden) return;
    box.querySelector("i").style.background = `linear-gradient(to right, ${scene.ramp.join(", ")})`;
    box.querySelector("b").textContent = `${high} mm and more`;
  }

  function trace(name, colour) {
    const mesh = meshes[name];
    // of its own for each colouring: plotly keeps the old colours of a trace that is given others of another sort
    const uid = `${name} ${colour}`;
    const base = {type: "mesh3d", name, uid, x: mesh.x, y: mesh.y, z: mesh.z, i: mesh.i, j: mesh.j, k: mesh.k, ...light};
    if (colour === "provenance") {
      return mesh.provenance ? {...base, ...byProvenance(mesh)} : {...base, color: scene.provenance[0].colour};
    }
    if (colour === "plain") return {...base, color: scene.plain};
    if (colour === "colour") return mesh.paint ? {...base, vertexcolor: mesh.paint} : {...base, color: scene.no_value};
    if (!mesh[colour]) return {...base, color: scene.no_value};
    return {...base, intensity: mesh[colour], colorscale: ramp(), cmin: 0, cmax: 255, showscale: false};
  }

  const state = {show: "face", colour: "provenance"};
  const camera = (yaw) => ({
    eye: {x: 1.1 * Math.sin(yaw), y: 0.1, z: 1.1 * Math.cos(yaw)}, up: {x: 0, y: 1, z: 0}, center: {x: 0, y: 0, z: 0},
    projection: {type: "orthographic"}
  });
  const axis = {visible: false, showspikes: false};
  const layout = {
    margin: {l: 0, r: 0, t: 0, b: 0}, uirevision: "keep", paper_bgcolor: "#fff", showlegend: false,
    scene: {aspectmode: "data", xaxis: axis, yaxis: axis, zaxis: axis, dragmode: "orbit", camera: camera(0.5)}
  };
  const options = {responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: true};

  function draw() {
    const names = state.show.split("+").filter(name => meshes[name].faces.length);
    const own = names.map(name => trace(name, state.colour));
    legend();
    document.getElementById("legend").hidden = state.colour !== "provenance";
    return Plotly.react(place, own, layout, options);
  }

  for (const button of document.querySelectorAll("button[data-key]")) {
    button.addEventListener("click", () => {
      const {key, value} = button.dataset;
      for (const other of document.querySelectorAll(`button[data-key="${key}"]`)) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      if (key === "view") return Plotly.relayout(place, {"scene.camera": camera(Number(value))});
      state[key] = value;
      return draw();
    });
  }
  draw().then(() => { place.dataset.ready = "true"; });
})();
