// On a phone viser lays its panel over the lower half of the picture, and so over the face: here the picture ends where
// the panel begins, and the panel takes the width of the screen and less than half of its height.
(() => {
  const EVERY_MS = 300, PANEL_SHARE = 0.45;
  // The panel of a phone is fixed to the lower edge; the docked one of a desktop is not.
  const bottomPanel = () => {
    let box = document.querySelector('input[type="file"]');
    while (box && !(getComputedStyle(box).position === "fixed" && box.style.bottom === "0px")) box = box.parentElement;
    return box;
  };
  // What fills the window around the canvas: its outermost ancestor that clips what is in it.
  const pictureBox = () => {
    let found = null;
    for (let box = document.querySelector("canvas"); box; box = box.parentElement)
      if (box.style.overflow === "hidden" && box.style.height === "100%") found = box;
    return found;
  };
  const fit = () => {
    const panel = bottomPanel(), picture = pictureBox();
    if (!picture) return;
    if (panel) {
      panel.style.width = "100%";
      panel.style.maxHeight = `${100 * PANEL_SHARE}%`;
      for (const box of panel.querySelectorAll("div")) if (box.style.width === "20em") box.style.width = "100%";
    }
    const height = document.documentElement.clientHeight;
    const wanted = panel ? `${Math.round(height - panel.getBoundingClientRect().height)}px` : "";
    if (picture.style.maxHeight !== wanted) picture.style.maxHeight = wanted;
  };
  // A list that opens beyond the edge would make the browser zoom out, and the page lay itself out anew.
  addEventListener("DOMContentLoaded", () => {
    const meta = document.querySelector('meta[name="viewport"]');
    if (meta) meta.content = "width=device-width, initial-scale=1, minimum-scale=1";
    setInterval(fit, EVERY_MS);
  });
})();
