// @ts-check
// The search over everything: pages, tasks, handlers and ids. Without script it is a page of its own.

const root = document.body.dataset.root ?? "/";
const palette = /** @type {HTMLDialogElement | null} */ (document.getElementById("palette"));

const field = document.createElement("input");
field.type = "search";
field.placeholder = "Search tasks, handlers, pages, ids";
field.setAttribute("aria-label", field.placeholder);
field.autocomplete = "off";
field.spellcheck = false;
field.maxLength = 100;

/** @type {AbortController | undefined} */
let asking;

async function find() {
  asking?.abort();
  asking = new AbortController();
  const address = new URL(`${root}search?part=results`, location.href);
  address.searchParams.set("q", field.value);
  const answer = await fetch(address, { headers: { "hx-request": "true" }, signal: asking.signal });
  if (!answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  palette?.replaceChildren(field, ...page.body.children);
  field.focus();
}

/** The aborted search is no failure; a lost server is told by the banner. */
const search = () => find().catch(() => {});

export function open() {
  if (!palette || palette.open || document.querySelector("dialog[open]")) return;
  field.value = "";
  palette.replaceChildren(field);
  palette.showModal();
  field.focus();
  search();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let soon;
field.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(search, 100); });

/** Moves the focus among the field and the results. @param {number} step */
function move(step) {
  const stops = [field, ...(palette?.querySelectorAll(".found a") ?? [])];
  const here = stops.indexOf(/** @type {any} */ (document.activeElement));
  const to = stops[Math.min(Math.max(here + step, 0), stops.length - 1)];
  if (to instanceof HTMLElement) to.focus();
}

palette?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") move(1);
  else if (event.key === "ArrowUp") move(-1);
  else if (event.key === "Enter" && document.activeElement === field) {
    // Results of an earlier text are not opened by mistake.
    find().then(() => {
      const first = palette.querySelector(".found a");
      if (first instanceof HTMLElement) first.click();
    }, () => {});
  } else if (event.key === "Escape") palette.close();
  else return;
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open();
  }
});

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
  if (plain && target.closest("[data-palette]") && palette) {
    event.preventDefault();
    open();
  } else if (target === palette) palette?.close();
});
