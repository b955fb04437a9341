// A page without a connection says why: the server has ended, wants another token, or has as many pages as it may.
(() => {
  const EVERY_MS = 2500, PATIENCE_MS = 6000;
  const { status, pages } = window.facecomSettings;
  const note = document.createElement("div");
  note.id = "facecom-connection";
  note.setAttribute("role", "alert");
  note.style.cssText =
    "position:fixed;left:50%;top:1em;transform:translateX(-50%);z-index:9998;padding:0.7em 1.2em;background:#7a1f1f;" +
    "color:#fff;border-radius:6px;font:15px sans-serif;width:max-content;max-width:80%;box-sizing:border-box";
  const say = (words) => {
    note.textContent = words;
    if (words) document.body.appendChild(note);
    else note.remove();
  };
  const reason = async () => {
    let answer;
    try {
      answer = await fetch(status, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch {
      return "The server does not answer: it has ended, or the network to it is down. If it has ended, what was not " +
        "downloaded is lost. This page tries again until it answers.";
    }
    if (!answer.ok) return await answer.text();
    return (await answer.json()).full
      ? `As many pages are open as there may be (${pages}). Close one that is not needed; this page opens as soon as ` +
          "there is room."
      : null;
  };
  let lostAt = Date.now();
  const look = async () => {
    if (window.facecomConnected()) {
      lostAt = null;
      say("");
    } else {
      lostAt ??= Date.now();
      const words = await reason();
      const late = Date.now() - lostAt > PATIENCE_MS;
      if (!window.facecomConnected()) say(words ?? (late ? "Not connected to the server yet; this page tries again." : ""));
    }
    setTimeout(look, EVERY_MS);
  };
  addEventListener("DOMContentLoaded", () => setTimeout(look, EVERY_MS));
})();
