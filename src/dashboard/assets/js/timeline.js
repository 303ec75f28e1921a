// @ts-check
// The timeline by pointer and keys: a wheel with Ctrl and a pinch change the span, a drag moves it,
// arrows go from run to run. Each has a link beside it that does the same.

const REST = 250;
const SHORTEST = 5 * 60_000;
const LONGEST = 7 * 86_400_000;

/** @returns {HTMLElement | null} */
const section = () => document.querySelector("#lanes.timeline");

/** @param {HTMLElement} lanes */
const span = (lanes) => ({ from: Number(lanes.dataset.from), to: Number(lanes.dataset.to) });

/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;

/** Shows another span: its address, then its lanes. @param {number} from @param {number} to */
function show(from, to) {
  const lanes = section();
  if (!lanes) return;
  lanes.dataset.from = String(Math.round(Math.max(from, 0)));
  lanes.dataset.to = String(Math.round(to));
  clearTimeout(resting);
  resting = setTimeout(() => {
    const address = new URL(location.href);
    address.searchParams.set("from", lanes.dataset.from ?? "");
    address.searchParams.set("to", lanes.dataset.to ?? "");
    history.replaceState(null, "", address);
    address.searchParams.set("part", "lanes");
    lanes.setAttribute("hx-get", address.pathname + address.search);
    lanes.dispatchEvent(new CustomEvent("timeline-moved"));
  }, REST);
}

/** The share of the span below a pointer. @param {Element} drawn @param {number} x */
function share(drawn, x) {
  const box = drawn.getBoundingClientRect();
  return Math.min(Math.max((x - box.left) / Math.max(box.width, 1), 0), 1);
}

document.addEventListener("wheel", (event) => {
  const lanes = section();
  const drawn = /** @type {Element} */ (event.target).closest?.(".drawn");
  if (!lanes || !drawn || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  const { from, to } = span(lanes);
  const length = Math.min(Math.max((to - from) * (event.deltaY > 0 ? 1.25 : 0.8), SHORTEST), LONGEST);
  const at = share(drawn, event.clientX);
  const middle = from + (to - from) * at;
  show(middle - length * at, middle + length * (1 - at));
}, { passive: false });

/** @type {{x: number, from: number, to: number, width: number, moved: boolean} | null} */
let drag = null;

document.addEventListener("pointerdown", (event) => {
  const lanes = section();
  const drawn = /** @type {Element} */ (event.target).closest?.(".drawn");
  if (!lanes || !drawn || event.button !== 0 || event.pointerType === "touch") return;
  drag = { x: event.clientX, ...span(lanes), width: drawn.getBoundingClientRect().width, moved: false };
});
document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const distance = event.clientX - drag.x;
  if (Math.abs(distance) < 4 && !drag.moved) return;
  drag.moved = true;
  const by = distance / Math.max(drag.width, 1) * (drag.to - drag.from);
  section()?.querySelectorAll(".drawn > svg").forEach((svg) => svg.setAttribute("transform", `translate(${distance} 0)`));
  show(drag.from - by, drag.to - by);
});
document.addEventListener("pointerup", () => { setTimeout(() => { drag = null; }); });
// The end of a drag is no click on the run below it.
document.addEventListener("click", (event) => {
  if (drag?.moved) event.preventDefault();
}, { capture: true });
document.addEventListener("dragstart", (event) => {
  if (/** @type {Element} */ (event.target).closest?.(".drawn")) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  const active = document.activeElement;
  if (!active?.matches(".lane a") || event.ctrlKey || event.metaKey || event.altKey) return;
  const lane = active.closest(".lane");
  const lanes = [...document.querySelectorAll(".lane")];
  const runs = [...(lane?.querySelectorAll("a") ?? [])];
  const index = runs.indexOf(/** @type {any} */ (active));
  const to = event.key === "ArrowRight" ? runs[index + 1]
    : event.key === "ArrowLeft" ? runs[index - 1]
    : event.key === "ArrowDown" ? lanes[lanes.indexOf(/** @type {any} */ (lane)) + 1]?.querySelector("a")
    : event.key === "ArrowUp" ? lanes[lanes.indexOf(/** @type {any} */ (lane)) - 1]?.querySelector("a")
    : undefined;
  if (to instanceof SVGElement) {
    event.preventDefault();
    to.focus();
  }
});
