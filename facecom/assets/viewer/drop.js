// Files that are dropped anywhere on the page go to its upload of scans; what the server would refuse is said here.
(() => {
  const RETRY_MS = 200;
  // The upload of marks names the formats that it takes, that of scans leaves them to the check below.
  const namesFormats = (input) => input.accept.startsWith(".");
  const input = () => [...document.querySelectorAll('input[type="file"]')].find((each) => !namesFormats(each));
  // viser's controls take no pointer while its websocket is closed; before it was open there are none.
  window.facecomConnected = () => {
    const button = input()?.parentElement;
    return Boolean(button) && getComputedStyle(button).pointerEvents !== "none";
  };
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
  const problem = (files, suffixes = window.facecomSettings.suffixes) => {
    const { bytes } = window.facecomSettings;
    if (files.length !== 1) return "Give one file at a time.";
    if (!suffixes.some((suffix) => files[0].name.toLowerCase().endsWith(suffix)))
      return `This is none of ${suffixes.join(", ")}.`;
    if (files[0].size > bytes) return `The file is larger than ${bytes / 1e6} MB.`;
    return null;
  };
  // viser writes its server into the address, which names the session and says that already.
  const rename = history.replaceState.bind(history);
  history.replaceState = (state, title) => rename(state, title, location.pathname);
  // A file that is dropped before the page is ready waits for it; of several the last one counts.
  let waiting = null;
  const upload = () => {
    if (waiting === null) return;
    if (!input() || !window.facecomConnected()) return void setTimeout(upload, RETRY_MS);
    input().files = waiting;
    waiting = null;
    input().dispatchEvent(new Event("change", { bubbles: true }));
  };
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    const idle = waiting === null;
    waiting = event.dataTransfer.files;
    const wrong = problem(waiting);
    if (wrong) {
      waiting = null;
      say(wrong);
    } else if (idle) {
      if (!input() || !window.facecomConnected()) say(`${waiting[0].name} is uploaded as soon as the page is ready.`);
      upload();
    }
  });
  // Before the page's own handler hears of it.
  addEventListener(
    "change",
    (event) => {
      if (!(event.target instanceof HTMLInputElement) || event.target.type !== "file") return;
      const wrong = namesFormats(event.target)
        ? problem(event.target.files, event.target.accept.split(","))
        : problem(event.target.files);
      if (!wrong) return;
      event.stopImmediatePropagation();
      event.target.value = "";
      say(wrong);
    },
    true,
  );
})();
