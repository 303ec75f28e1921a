// @ts-check
// Single keys, for those who want them: they act only outside fields, and can be switched off.

import { open as openPalette } from "./palette.js";

const root = document.body.dataset.root ?? "/";
const off = document.body.dataset.keys === "off";

/** The pages behind "g" and a letter. @type {Record<string, string>} */
const PLACES = { o: "", t: "tasks", r: "executions", l: "timeline", c: "calendar", h: "handlers", a: "alerts" };

const HELP = [
  ["/", "search everything"], ["Ctrl-K", "the same, also in a field"],
  ["g o", "overview"], ["g t", "tasks"], ["g r", "runs"], ["g l", "timeline"], ["g c", "calendar"], ["g h", "handlers"], ["g a", "alerts"],
  ["j  k", "next and previous row"], ["Enter", "open the row"], ["x", "select the row"],
  ["r", "run"], ["p", "pause or resume"], ["e", "edit"], ["n", "new task"], ["f", "follow the output"], ["?", "this list"],
];

/** @param {number} step */
function move(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(here + step, 0), rows.length - 1)];
  const link = row?.querySelector(".name");
  if (link instanceof HTMLElement) link.focus();
}

/** Presses the button for a key: that of the row in focus, else that of the page. @param {string} key */
function press(key) {
  const act = { r: "run", p: "pause" }[key];
  const row = document.activeElement?.closest("[data-row]");
  const target = (act && row?.querySelector(`[data-act="${act}"]`)) ?? document.querySelector(`[data-key="${key}"]`);
  if (target instanceof HTMLElement) target.click();
}

function help() {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("dialog"));
  if (!dialog || dialog.open) return;
  const heading = document.createElement("h1");
  heading.id = "question";
  heading.textContent = "Keys";
  const list = document.createElement("dl");
  list.className = "facts inline keys";
  for (const [keys, meaning] of HELP) {
    const term = document.createElement("dt");
    for (const one of keys.split(/ +/)) {
      const key = document.createElement("kbd");
      key.textContent = one;
      term.append(key, " ");
    }
    const what = document.createElement("dd");
    what.textContent = meaning;
    list.append(term, what);
  }
  const close = document.createElement("button");
  close.textContent = "Close";
  close.dataset.close = "";
  dialog.replaceChildren(heading, list, close);
  dialog.showModal();
  close.focus();
}

let going = 0;

document.addEventListener("keydown", (event) => {
  const field = /** @type {Element} */ (event.target).closest?.("input, select, textarea, [contenteditable]");
  if (off || field || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  const key = event.key;
  if (Date.now() - going < 1500 && key in PLACES) {
    going = 0;
    event.preventDefault();
    location.assign(root + PLACES[key]);
    return;
  }
  going = 0;
  if (key === "g") going = Date.now();
  else if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "?") help();
  else if (key === "/") {
    event.preventDefault();
    openPalette();
  } else if (key === "x") {
    const box = document.activeElement?.closest("[data-row]")?.querySelector('input[type="checkbox"]');
    if (box instanceof HTMLInputElement) box.click();
  } else if (/^[a-z]$/.test(key)) press(key);
});
