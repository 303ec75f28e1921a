// @ts-check
// Keeps the regions of a page right: one stream of events for each visible tab, or polling when
// there is no stream. A region names the events that it waits for in its hx-trigger.

const root = document.body.dataset.root ?? "/";
const banner = document.getElementById("lost");
const POLL = 10_000;

/** @type {EventSource | null} */
let source = null;
// Changes since the page was made are told too.
let last = document.body.dataset.heard ?? "";
/** @type {Date | null} */
let lostAt = null;
let hiddenAt = 0;
let wait = 2000;
let started = 0;
/** @type {ReturnType<typeof setInterval> | undefined} */
let polling;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

/** @param {string} name */
const tell = (name) => document.body.dispatchEvent(new CustomEvent(name));

/** Tells the regions about events. @param {Array<{type: string, taskId?: string}>} events */
function spread(events) {
  const names = new Set();
  for (const { type, taskId } of events) {
    if (taskId) names.add(`live-task-${taskId}`).add("live-tasks");
    if (type.startsWith("execution")) names.add("live-executions");
    if (type === "execution-started") started += 1;
    if (type === "handlers-changed") names.add("live-handlers");
    if (type === "alert" || type === "config") names.add("live-alerts");
  }
  names.forEach(tell);
  // A list of runs stays as it is under its reader, and says that there are new ones.
  const fresh = document.getElementById("fresh");
  const text = fresh?.querySelector("span");
  if (!fresh || !text || !started) return;
  text.textContent = started === 1 ? "1 new run" : `${started} new runs`;
  fresh.hidden = false;
}

const TYPES = ["task-created", "task-updated", "task-deleted", "execution-started", "execution-ended",
  "execution-skipped", "handlers-changed", "alert", "config", "progress"];

/** @param {MessageEvent} event */
function hear(event) {
  if (event.lastEventId) last = event.lastEventId;
  const data = JSON.parse(event.data || "{}");
  if (event.type === "batch") spread(data.events ?? []);
  else spread([{ type: event.type, taskId: data.taskId ?? data.task?.id }]);
}

function open() {
  clearTimeout(again);
  const address = new URL(`${root}admin/events`, location.href);
  address.searchParams.set("coalesce", "1000");
  if (last) address.searchParams.set("lastEventId", last);
  source = new EventSource(address);
  source.onopen = found;
  source.onerror = lose;
  for (const type of ["batch", ...TYPES]) source.addEventListener(type, hear);
  source.addEventListener("gap", (event) => {
    last = /** @type {MessageEvent} */ (event).lastEventId || last;
    tell("live-all");
  });
  source.addEventListener("bye", lose);
}

function close() {
  source?.close();
  source = null;
}

function found() {
  document.body.dataset.live = "yes";
  wait = 2000;
  clearInterval(polling);
  polling = undefined;
  if (banner) banner.hidden = true;
  if (lostAt) tell("live-all");
  lostAt = null;
}

function lose() {
  close();
  delete document.body.dataset.live;
  lostAt ??= new Date();
  if (banner && banner.hidden) {
    const time = lostAt.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: document.body.dataset.zone });
    banner.textContent = `Not live since ${time}, refreshing every 10 s`;
    banner.hidden = false;
  }
  polling ??= setInterval(() => tell("live-all"), POLL);
  clearTimeout(again);
  again = setTimeout(open, wait);
  wait = Math.min(wait * 2, 30_000);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    hiddenAt = Date.now();
    close();
    clearTimeout(again);
    clearInterval(polling);
    polling = undefined;
  } else if (wanted && !source) {
    open();
    if (Date.now() - hiddenAt > 60_000) tell("live-all");
  }
});
addEventListener("pagehide", close);

/** Whether a reader is busy with a region, so that it must stay as it is. @param {Element} region */
function busy(region) {
  const selected = getSelection();
  const active = document.activeElement;
  return region.querySelector("details[open], input:checked") !== null
    || (active !== null && region.contains(active) && active.matches("input, select, textarea"))
    || (selected !== null && !selected.isCollapsed && region.contains(selected.anchorNode));
}

document.addEventListener("htmx:before:request", (event) => {
  const region = /** @type {CustomEvent} */ (event).detail?.ctx?.sourceElement;
  if (!(region instanceof Element) || !region.matches(".live")) return;
  if (busy(region) || document.hidden) event.preventDefault();
});

// A page with nothing live needs no stream, and the output of a run has its own.
const wanted = document.querySelector(".live, #fresh") !== null && document.querySelector("[data-stream]") === null;
if (wanted && !document.hidden) open();
