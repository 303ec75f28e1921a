// @ts-check
// The output of a run: lines as they come, levels, search, links to lines.

import { make, paint, visible } from "./ansi.js";
import { linkLines, searchIn } from "./marks.js";

/** Lines of one block; the server makes blocks of as many. */
const BLOCK = 200;

/** @typedef {{ n: number, time: number, level: string, message: string }} Line */

const box = /** @type {HTMLElement | null} */ (document.querySelector(".log"));
if (box) start(box);

/** @param {HTMLElement} log */
function start(log) {
  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: document.body.dataset.zone, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
  });
  const began = Number(log.dataset.start);
  let last = Number(log.dataset.last);
  let errors = log.querySelectorAll(".l-error").length;
  let following = "stream" in log.dataset && !location.hash;
  let sinceStart = false;

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  let coming = false;
  // Once a frame, however many lines come.
  function soonToEnd() {
    if (coming) return;
    coming = true;
    requestAnimationFrame(() => { coming = false; if (following) toEnd(); });
  }

  /** @param {number} time */
  const timeOf = (time) => sinceStart ? `+${((time - began) / 1000).toFixed(3)}` : clock.format(time);

  /** @param {Line} line */
  function row({ n, time, level, message }) {
    const row = make("div", `line l-${level}`);
    row.id = `L${n + 1}`;
    row.dataset.t = String(time);
    const text = make("span", "text");
    paint(text, message.replaceAll("\0", "\ufffd"));
    row.append(make("span", "no", String(n + 1)), make("span", "at", timeOf(time)), make("span", "level", level), text);
    return row;
  }

  /** @param {Line[]} lines */
  function add(lines) {
    document.querySelector("#log .empty")?.remove();
    log.hidden = false;
    let block = log.lastElementChild;
    for (const line of lines) {
      if (line.n <= last) continue;
      last = line.n;
      if (line.level === "error") errors += 1;
      if (!block || block.childElementCount >= BLOCK) log.append(block = make("div", "block"));
      block.append(row(line));
    }
    if (following) soonToEnd();
  }

  // Tools above the log.
  const tools = make("div", "tools");
  const levels = /** @type {HTMLSelectElement} */ (make("select", ""));
  levels.setAttribute("aria-label", "Levels");
  for (const [value, text] of [["", "all levels"], ["info", "info and above"], ["warn", "warnings and errors"], ["error", "errors"]]) {
    levels.append(new Option(text, value));
  }
  levels.addEventListener("change", () => {
    if (levels.value) log.dataset.least = levels.value;
    else delete log.dataset.least;
    if (following) toEnd();
  });
  const times = button("Since start", () => {
    sinceStart = !sinceStart;
    times.setAttribute("aria-pressed", String(sinceStart));
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (log.querySelectorAll(".line"))) {
      const at = row.querySelector(".at");
      if (at) at.textContent = timeOf(Number(row.dataset.t));
    }
  });
  const wrap = button("Wrap", () => {
    const on = log.classList.toggle("nowrap");
    wrap.setAttribute("aria-pressed", String(!on));
  });
  wrap.setAttribute("aria-pressed", "true");
  wrap.dataset.wide = "";
  times.setAttribute("aria-pressed", "false");
  const follow = button("Follow", () => { following = true; toEnd(); show(); });
  follow.dataset.key = "f";
  const stop = () => { following = false; show(); };
  tools.append(...searchIn(log, stop), levels, times, wrap, follow);
  document.querySelector("#log .toolbar")?.prepend(tools);

  function show() {
    follow.hidden = !("stream" in log.dataset);
    follow.setAttribute("aria-pressed", String(following));
  }

  /** @param {string} text @param {() => void} act */
  function button(text, act) {
    const element = make("button", "", text);
    element.setAttribute("type", "button");
    element.addEventListener("click", act);
    return element;
  }

  let stood = 0;
  log.addEventListener("scroll", () => {
    // Up by hand ends following; down to the end begins it again.
    if (log.scrollTop < stood - 2) following = false;
    else if ("stream" in log.dataset && atEnd()) following = true;
    stood = log.scrollTop;
    show();
  }, { passive: true });

  if ("stream" in log.dataset) listen();
  if (!linkLines(log, stop) && following) toEnd();
  show();

  function listen() {
    const address = new URL(log.dataset.stream ?? "", location.href);
    if (last >= 0) address.searchParams.set("lastEventId", String(last));
    const source = new EventSource(address);
    const tell = (/** @type {string} */ name) => document.body.dispatchEvent(new CustomEvent(name));
    source.addEventListener("lines", (event) => add(JSON.parse(event.data)));
    source.addEventListener("line", (event) => add([JSON.parse(event.data)]));
    source.addEventListener("progress", (event) => {
      const { fraction, text } = JSON.parse(event.data);
      const bar = document.querySelector("#progress");
      if (!(bar instanceof HTMLProgressElement)) return tell("live-all");
      bar.value = fraction * 100;
      for (const [name, said] of [["percent", `${Math.round(fraction * 100)} %`], ["text", text ?? ""]]) {
        const part = document.querySelector(`[data-progress="${name}"]`);
        if (part) part.textContent = visible(said);
      }
    });
    source.addEventListener("end", () => {
      source.close();
      delete log.dataset.stream;
      tell("live-all");
      show();
    });
    // A server that stops closes the stream: come back from the last line on.
    source.addEventListener("bye", () => { source.close(); setTimeout(listen, 2000); });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED && "stream" in log.dataset) setTimeout(listen, 5000);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  // A summary for those who do not see the lines come.
  let summed = last;
  const summary = make("p", "visually-hidden");
  summary.setAttribute("role", "status");
  log.after(summary);
  setInterval(() => {
    if (summed === last) return;
    summed = last;
    summary.textContent = `${last + 1} lines, ${errors} errors`;
  }, 5000);
}
