// @ts-check
// Lines of output as elements, with the colours of terminals as classes; as `ansi.rs` does it.

/** @param {string} name @param {string} className @param {string} [text] */
export function make(name, className, text) {
  const element = document.createElement(name);
  element.className = className;
  if (text !== undefined) element.textContent = visible(text);
  return element;
}

/** A text whose marks that turn the direction of writing are seen and do not act; as `markup.rs`. @param {string} text */
export function visible(text) {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Puts a line into an element, with the colours of terminals as classes; as `ansi.rs`. @param {Element} target @param {string} line */
export function paint(target, line) {
  const [head, ...pieces] = line.split("\u001b[");
  target.append(visible(head));
  const style = { colour: "", b: false, d: false, i: false, u: false };
  for (const piece of pieces) {
    const end = piece.search(/[@-~]/);
    if (end < 0) continue;
    if (piece[end] === "m") {
      for (const code of piece.slice(0, end).split(/[34]8;/)[0].split(";").map(Number)) {
        if (code === 0) Object.assign(style, { colour: "", b: false, d: false, i: false, u: false });
        else if (code <= 4) style[/** @type {"b"} */ ("bdiu"[code - 1])] = true;
        else if (code === 22) style.b = style.d = false;
        else if (code === 23) style.i = false;
        else if (code === 24) style.u = false;
        else if (code === 39) style.colour = "";
        else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) style.colour = `c${code % 10}`;
      }
    }
    const text = piece.slice(end + 1);
    const classes = [style.colour, style.b && "b", style.d && "d", style.i && "i", style.u && "u"].filter(Boolean).join(" ");
    if (classes && text) target.append(make("span", classes, text));
    else target.append(visible(text));
  }
}
