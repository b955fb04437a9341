// Files that are dropped anywhere on the page go to its upload button; what the server would refuse is said here.
(() => {
  const say = (words) => {
    const note = document.createElement("div");
    note.id = "facecom-note";
    note.textContent = words;
    note.style.cssText =
      "position:fixed;left:50%;top:1em;transform:translateX(-50%);z-index:9999;padding:0.7em 1.2em;" +
      "background:#7a1f1f;color:#fff;border-radius:6px;font:15px sans-serif;max-width:80%";
    document.getElementById("facecom-note")?.remove();
    document.body.appendChild(note);
    setTimeout(() => note.remove(), 8000);
  };
  const problem = (files) => {
    const { bytes, suffixes } = window.facecomUploads;
    if (files.length !== 1) return "Give one scan at a time.";
    if (!suffixes.some((suffix) => files[0].name.toLowerCase().endsWith(suffix)))
      return `This is none of ${suffixes.join(", ")}.`;
    if (files[0].size > bytes) return `The file is larger than ${bytes / 1e6} MB.`;
    return null;
  };
  // viser writes its server into the address, which names the session and says that already.
  const rename = history.replaceState.bind(history);
  history.replaceState = (state, title) => rename(state, title, location.pathname);
  const input = () => document.querySelector('input[type="file"]');
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const files = event.dataTransfer.files;
    if (!files.length || !input()) return;
    input().files = files;
    input().dispatchEvent(new Event("change", { bubbles: true }));
  });
  // Before the page's own handler hears of it.
  addEventListener(
    "change",
    (event) => {
      if (!(event.target instanceof HTMLInputElement) || event.target.type !== "file") return;
      const wrong = problem(event.target.files);
      if (!wrong) return;
      event.stopImmediatePropagation();
      event.target.value = "";
      say(wrong);
    },
    true,
  );
})();
