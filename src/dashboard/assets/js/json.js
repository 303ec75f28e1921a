// @ts-check
// Fields for JSON: the place of a mistake while it is typed, indentation, and a button that formats.

for (const field of /** @type {NodeListOf<HTMLTextAreaElement>} */ (document.querySelectorAll("textarea[data-json]"))) equip(field);
// A dialog brings its field with it.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node instanceof Element) node.querySelectorAll("textarea[data-json]").forEach((field) => equip(/** @type {HTMLTextAreaElement} */ (field)));
    }
  }
}).observe(document.getElementById("dialog") ?? document.body, { childList: true });

/** @param {HTMLTextAreaElement} field */
function equip(field) {
  const state = document.createElement("p");
  state.className = "help json-state";
  state.setAttribute("role", "status");
  const format = document.createElement("button");
  format.type = "button";
  format.className = "plain";
  format.textContent = "Format";
  const bar = document.createElement("div");
  bar.className = "json-bar";
  bar.append(state, format);
  field.after(bar);

  /** Says where the text stops being JSON; the offset, or -1. */
  function check() {
    const text = field.value;
    let at = -1;
    let said = "";
    if (text.trim()) {
      try {
        const value = JSON.parse(text);
        if (value === null || typeof value !== "object" || Array.isArray(value)) said = "This must be an object: { … }";
      } catch (error) {
        const message = String(/** @type {Error} */ (error).message);
        at = Number(message.match(/position (\d+)/)?.[1] ?? (/end of/i.test(message) ? text.length : -1));
        said = at < 0 ? "This is not valid JSON" : `Not valid JSON from ${place(text, at)} on`;
      }
    }
    state.textContent = said;
    state.classList.toggle("problem", said !== "");
    return { said, at };
  }

  /** @param {string} text @param {number} at */
  function place(text, at) {
    const lines = text.slice(0, at).split("\n");
    return `line ${lines.length}, column ${lines[lines.length - 1].length + 1}`;
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon;
  field.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(check, 300); });
  format.addEventListener("click", () => {
    const { said, at } = check();
    if (said) {
      field.focus();
      if (at >= 0) field.setSelectionRange(at, Math.min(at + 1, field.value.length));
      return;
    }
    // Large numbers would lose figures: those texts stay as they are.
    if (field.value.trim() && !/\d{16}/.test(field.value)) field.value = JSON.stringify(JSON.parse(field.value), null, 2);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing) return;
    const before = field.value.slice(0, field.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const indent = (line.match(/^ */)?.[0] ?? "") + (/[{[]\s*$/.test(line) ? "  " : "");
    if (!indent) return;
    event.preventDefault();
    field.setRangeText(`\n${indent}`, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

// A problem that the server has found is about the text as it was then.
document.addEventListener("input", ({ target }) => {
  if (!(target instanceof Element) || !target.hasAttribute("aria-invalid")) return;
  const problem = document.getElementById(target.getAttribute("aria-describedby") ?? "");
  if (!problem?.classList.contains("problem")) return;
  problem.remove();
  target.removeAttribute("aria-invalid");
  target.removeAttribute("aria-describedby");
  target.closest(".field")?.classList.remove("wrong");
});

// A quieter minute is taken over into the schedule.
document.addEventListener("click", (event) => {
  const button = /** @type {Element} */ (event.target).closest("[data-take]");
  const field = document.querySelector("#f-schedule");
  if (!(button instanceof HTMLElement) || !(field instanceof HTMLInputElement)) return;
  field.value = button.dataset.take ?? "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});

// A form with changes is not left by accident.
const form = document.querySelector("form[data-unsaved]");
let changed = false;
form?.addEventListener("input", () => { changed = true; });
form?.addEventListener("submit", () => { changed = false; });
addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
