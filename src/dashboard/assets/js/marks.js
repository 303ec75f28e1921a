// @ts-check
// Marks in the output of a run: what a search finds, and the lines of a link.

import { make } from "./ansi.js";

/** Marks of a search, at most. */
const MOST = 5000;

/** A field that searches the log, and the count beside it. @param {HTMLElement} log @param {() => void} stop ends the following of the end */
export function searchIn(log, stop) {
  const search = /** @type {HTMLInputElement} */ (make("input", ""));
  search.type = "search";
  search.placeholder = "Search the output";
  search.setAttribute("aria-label", "Search the output");
  const found = make("span", "quiet");
  found.setAttribute("role", "status");
  /** @type {Range[]} */
  let hits = [];
  let hit = -1;

  // Ranges leave the text as it is.
  function find() {
    hits = [];
    hit = -1;
    const wanted = search.value.toLowerCase();
    const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
    while (wanted && walker.nextNode() && hits.length < MOST) {
      const node = walker.currentNode;
      if (!node.parentElement?.closest(".text")) continue;
      const text = (node.nodeValue ?? "").toLowerCase();
      for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, Math.min(at + wanted.length, node.nodeValue?.length ?? 0));
        hits.push(range);
      }
    }
    CSS.highlights?.set("found", new Highlight(...hits));
    CSS.highlights?.delete("here");
    found.textContent = wanted ? (hits.length ? `${hits.length} found` : "not found") : "";
  }

  /** @param {number} step */
  function go(step) {
    if (!hits.length) return;
    hit = (hit + step + hits.length) % hits.length;
    stop();
    CSS.highlights?.set("here", new Highlight(hits[hit]));
    hits[hit].startContainer.parentElement?.scrollIntoView({ block: "center" });
    found.textContent = `${hit + 1} of ${hits.length}`;
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon;
  search.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(find, 120); });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    go(event.shiftKey ? -1 : 1);
  });
  return [search, found];
}

/** Marks the lines that the address names, `#L7` or `#L7-L9`; a click on a number puts it there.
 * @param {HTMLElement} log @param {() => void} stop @returns {boolean} whether the address names a line */
export function linkLines(log, stop) {
  /** @param {number} from @param {number} to */
  function paint(from, to) {
    log.querySelectorAll(".marked").forEach((row) => row.classList.remove("marked"));
    const count = log.querySelectorAll(".line").length + 1;
    for (let n = from; n <= to && n - from < count; n += 1) document.getElementById(`L${n}`)?.classList.add("marked");
  }
  function named() {
    const [, from, to] = location.hash.match(/^#L(\d+)(?:-L(\d+))?$/) ?? [];
    return from ? [Number(from), Number(to ?? from)] : null;
  }
  function follow() {
    const lines = named();
    if (!lines) return false;
    paint(lines[0], lines[1]);
    document.getElementById(`L${lines[0]}`)?.scrollIntoView({ block: "center" });
    return true;
  }
  log.addEventListener("click", (event) => {
    const number = /** @type {Element} */ (event.target).closest(".no");
    if (!number) return;
    stop();
    const here = Number(number.textContent);
    const first = event.shiftKey ? named()?.[0] ?? here : here;
    const [low, high] = [Math.min(first, here), Math.max(first, here)];
    history.replaceState(null, "", low === high ? `#L${low}` : `#L${low}-L${high}`);
    paint(low, high);
  });
  addEventListener("hashchange", follow);
  return follow();
}
