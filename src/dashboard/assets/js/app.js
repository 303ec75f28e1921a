// @ts-check
// What every page has: relative times that stay right, dialogs, menus, keys.

const root = document.body.dataset.root ?? "/";

/** Keeps a preference for a year. @param {string} name @param {string} value */
function keep(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=${root}; max-age=31536000; samesite=lax`;
}

// The first visit shows UTC until the browser's zone is known here.
if (!/(^|; )tz=/.test(document.cookie)) {
  keep("tz", Intl.DateTimeFormat().resolvedOptions().timeZone);
  if ("zoneUnknown" in document.body.dataset && /(^|; )tz=/.test(document.cookie)) location.reload();
}

const UNITS = /** @type {const} */ ([["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]);

/** @param {number} seconds */
function rough(seconds) {
  const [name, length] = UNITS.find(([, length]) => seconds >= length) ?? ["s", 1];
  return `${Math.floor(seconds / length)} ${name}`;
}

/** @param {number} seconds */
function lasting(seconds) {
  const index = UNITS.findIndex(([, length]) => seconds >= length);
  if (index < 0) return "0 s";
  const [name, length] = UNITS[index];
  const rest = UNITS[index + 1];
  const more = rest ? Math.floor((seconds % length) / rest[1]) : 0;
  return `${Math.floor(seconds / length)} ${name}` + (more ? ` ${more} ${rest[0]}` : "");
}

// The page's clock: the server's, so that a wrong clock here shows no wrong distance.
const started = performance.now();
const ahead = Number(document.body.dataset.now ?? Date.now());
export const now = () => ahead + (performance.now() - started);

function refresh() {
  for (const time of document.querySelectorAll("time[data-live]")) {
    const seconds = (Date.parse(time.getAttribute("datetime") ?? "") - now()) / 1000;
    const whole = Math.floor(Math.abs(seconds));
    const text = time.getAttribute("data-live") === "elapsed" ? lasting(whole)
      : whole < 1 ? "now" : seconds > 0 ? `in ${rough(whole)}` : `${rough(whole)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(refresh, 1000);

// A question before an action opens over the page; without script it is a page of its own.
const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("dialog"));

/** @param {HTMLAnchorElement} link */
async function ask(link) {
  const address = new URL(link.href);
  address.searchParams.set("part", "question");
  const answer = await fetch(address, { headers: { "hx-request": "true" } });
  if (!answer.ok || !dialog) return location.assign(link.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  dialog.replaceChildren(...page.body.children);
  dialog.showModal();
  const first = dialog.querySelector("textarea, button");
  if (first instanceof HTMLElement) first.focus();
}

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
  const question = target.closest("a[data-dialog]");
  if (question instanceof HTMLAnchorElement && plain && dialog) {
    event.preventDefault();
    ask(question).catch(() => location.assign(question.href));
    return;
  }
  if (dialog?.open && (target.closest("[data-close]") || target === dialog)) {
    event.preventDefault();
    dialog.close();
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  menu?.removeAttribute("open");
  menu?.querySelector("summary")?.focus();
});

// A button copies the text of a field.
document.addEventListener("click", (event) => {
  const button = /** @type {Element} */ (event.target).closest("button[data-copy]");
  const field = button && document.querySelector(button.getAttribute("data-copy") ?? "");
  if (!(field instanceof HTMLInputElement)) return;
  field.select();
  navigator.clipboard?.writeText(field.value).then(() => { button.append(" ✓"); }, () => {});
});

// A choice in a filter shows its result at once.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLSelectElement && "submit" in field.dataset) field.form?.requestSubmit();
});
