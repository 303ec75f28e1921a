// Errors as texts. A thrown value is the handler's: reading it may run getters, throw again,
// or never return (then the watchdog ends the run).
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    AggregateErrorPrototype,
    ArrayIsArray,
    ErrorPrototype,
    ObjectDefineProperty,
    ObjectHasOwn,
    ObjectPrototypeIsPrototypeOf,
    ReflectGetOwnPropertyDescriptor,
    ReflectOwnKeys,
    SafeSet,
    SafeWeakMap,
    SetPrototypeAdd,
    SetPrototypeGetSize,
    SetPrototypeHas,
    String,
    StringPrototypeIndexOf,
    StringPrototypeReplaceAll,
    StringPrototypeSlice,
    StringPrototypeStartsWith,
    WeakMapPrototypeGet,
    WeakMapPrototypeSet,
  } = primordials;
  const { op_isochron_frames } = core.ops;
  const shared = global.__isochron;
  // V8 adds SuppressedError to each new context, so the snapshot lacks it; `boot` sets this.
  let SuppressedErrorPrototype = { __proto__: null };
  shared.bootErrors = () => {
    SuppressedErrorPrototype = global.SuppressedError.prototype;
  };

  // Characters of a text; the runner cuts texts to 8 KiB.
  const LONGEST = 8192;
  // Characters of the fields of one error, or of a cause that is not an error.
  const LONGEST_FIELDS = 2048;
  const MOST_FIELDS = 20;
  // Parts of an AggregateError in its text.
  const MOST_PARTS = 5;
  // Errors in one stack, with all causes and parts.
  const MOST_ERRORS = 16;
  // Levels of causes and parts.
  const DEEPEST = 5;
  const cut = (text, longest) =>
    text.length > longest ? StringPrototypeSlice(text, 0, longest - 1) + "\u2026" : text;
  const short = (text) => cut(text, LONGEST);

  const isError = (value) =>
    core.isNativeError(value) ||
    (typeof value === "object" && value !== null &&
      ObjectPrototypeIsPrototypeOf(ErrorPrototype, value));

  // The compiler's own text of a syntax error, with the line and a caret.
  const explanations = new SafeWeakMap();
  shared.explain = (error, text) => WeakMapPrototypeSet(explanations, error, text);
  const explanationOf = (error) =>
    typeof error === "object" && error !== null
      ? WeakMapPrototypeGet(explanations, error)
      : undefined;

  /** A property, or `undefined` if its getter throws. */
  function get(object, key) {
    try {
      return object[key];
    } catch {
      return undefined;
    }
  }
  /** A property that is a string, else an empty text. */
  function getText(object, key) {
    const value = get(object, key);
    return typeof value === "string" ? value : "";
  }

  function nameOf(error) {
    const name = getText(error, "name");
    if (name !== "" && name !== "Error") return name;
    const constructor = get(error, "constructor");
    return typeof constructor === "function" && getText(constructor, "name") || "Error";
  }

  /** The parts of an AggregateError or SuppressedError: `[label, error]`. */
  function partsOf(error) {
    if (ObjectPrototypeIsPrototypeOf(SuppressedErrorPrototype, error)) {
      return [["error: ", get(error, "error")], ["suppressed: ", get(error, "suppressed")]];
    }
    const errors = ObjectPrototypeIsPrototypeOf(AggregateErrorPrototype, error)
      ? get(error, "errors")
      : undefined;
    const parts = [];
    if (!ArrayIsArray(errors)) return parts;
    const length = get(errors, "length");
    if (typeof length !== "number") return parts; // a proxy's
    for (let i = 0; i < length && i < MOST_PARTS; i++) {
      put(parts, i, [`error ${i + 1} of ${length}: `, get(errors, i)]);
    }
    if (length > MOST_PARTS) put(parts, MOST_PARTS, [`and ${length - MOST_PARTS} more`, NONE]);
    return parts;
  }
  const NONE = { __proto__: null };

  /** Sets a property that the object may not have yet, past every setter of a prototype. */
  const put = (object, key, value) =>
    ObjectDefineProperty(object, key, {
      __proto__: null,
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });

  function textOfError(error) {
    const name = nameOf(error);
    let text = short(getText(error, "message"));
    if (text === "") text = name;
    else if (name !== "Error") text = `${name}: ${text}`;
    text += adviceFor(error, text);
    const parts = partsOf(error);
    for (let i = 0; i < parts.length; i++) {
      const { 0: label, 1: part } = parts[i];
      text += i === 0 ? " (" : "; ";
      text += part === NONE
        ? label
        : `${StringPrototypeStartsWith(label, "suppressed") ? label : ""}${textOf(part)}`;
    }
    return parts.length > 0 ? `${text})` : text;
  }

  // Names of CommonJS that an ES module lacks.
  const ADVICE = {
    __proto__: null,
    "ReferenceError: module is not defined": "export default instead of module.exports =",
    "ReferenceError: exports is not defined": "export default, or export before a declaration, instead of exports",
    "ReferenceError: require is not defined": "import instead of require",
    "ReferenceError: __filename is not defined": "import.meta.filename instead of __filename",
    "ReferenceError: __dirname is not defined": "import.meta.dirname instead of __dirname",
  };
  /** The way to write what an ES module tried; empty for any other error. */
  function adviceFor(error, text) {
    const advice = core.isNativeError(error) ? ADVICE[text] : undefined;
    return advice === undefined
      ? ""
      : `. A file with import or export, and each .mjs, is an ES module: write ${advice}`;
  }

  let depth = 0; // of aggregates in aggregates
  function textOf(thrown) {
    const known = explanationOf(thrown);
    if (known !== undefined) return known;
    if (isError(thrown)) {
      if (depth > 3) return "\u2026";
      depth++;
      try {
        return textOfError(thrown);
      } finally {
        depth--;
      }
    }
    if (typeof thrown === "string") return thrown === "" ? "an empty string was thrown" : thrown;
    if (typeof thrown === "object" && thrown !== null || typeof thrown === "function") {
      return shared.inspect(thrown, { __proto__: null, depth: 2 });
    }
    return `${typeof thrown === "bigint" ? `${String(thrown)}n` : String(thrown)} was thrown`;
  }

  /** The text of a thrown value, for people. */
  shared.describe = (thrown) => {
    try {
      depth = 0;
      return short(textOf(thrown));
    } catch {
      return "an error that cannot be shown was thrown";
    }
  };

  // --- stacks ---

  // Formats no more than fits into `LONGEST_FIELDS`.
  const BRIEFLY = {
    __proto__: null,
    depth: 2,
    breakLength: Infinity,
    compact: true,
    maxArrayLength: 20,
    maxStringLength: 1000,
  };
  const inspectBriefly = (value) =>
    cut(StringPrototypeReplaceAll(shared.inspect(value, BRIEFLY), "\n", " "), LONGEST_FIELDS);

  function framesOf(error) {
    const stack = get(error, "stack");
    if (typeof stack !== "string") return "";
    // The frames are at the end, after a message of any length.
    return op_isochron_frames(StringPrototypeSlice(stack, -32768));
  }

  /** The own fields of an error, such as `code`, on one line; empty if it has none. */
  function fieldsOf(error, isAggregate) {
    const fields = {};
    let some = false;
    const keys = ReflectOwnKeys(error);
    for (let i = 0, kept = 0; i < keys.length && kept < MOST_FIELDS; i++) {
      const key = keys[i];
      if (
        typeof key !== "string" || key === "name" || key === "message" || key === "stack" ||
        key === "cause" || key === "errors" && isAggregate
      ) continue;
      const own = ReflectGetOwnPropertyDescriptor(error, key);
      if (own === undefined || !own.enumerable) continue;
      if (ObjectHasOwn(own, "value")) {
        put(fields, key, isError(own.value) ? shared.describe(own.value) : own.value);
      } else {
        ObjectDefineProperty(fields, key, { __proto__: null, get: own.get, enumerable: true });
      }
      some = true;
      kept++;
    }
    return some ? inspectBriefly(fields) : "";
  }

  /** Adds the lines of one error, its parts and its causes. */
  function addError(report, error, level) {
    if (report.text.length > LONGEST || SetPrototypeGetSize(report.errors) >= MOST_ERRORS) return;
    SetPrototypeAdd(report.errors, error);
    if (level === 0 && explanationOf(error) !== undefined) return;
    addLine(report, framesOf(error));
    const parts = partsOf(error);
    const fields = fieldsOf(error, parts.length > 0);
    if (fields !== "") addLine(report, `with ${fields}`);
    for (let i = 0; i < parts.length; i++) addRelated(report, parts[i][0], parts[i][1], level);
    const cause = get(error, "cause");
    if (cause !== undefined) addRelated(report, "caused by: ", cause, level);
  }

  function addRelated(report, label, value, level) {
    if (value === NONE) return addLine(report, label);
    if (SetPrototypeHas(report.errors, value)) return;
    const plain = !isError(value) && typeof value !== "string";
    addLine(report, label + (plain ? inspectBriefly(value) : shared.describe(value)));
    if (isError(value) && level + 1 < DEEPEST) addError(report, value, level + 1);
  }

  const addLine = (report, line) => {
    if (line !== "") report.text += report.text === "" ? line : `\n${line}`;
  };

  /**
   * The frames of an error in the handler's files and its own fields, then those of its parts
   * and causes; may be empty.
   */
  shared.stackOf = (thrown) => {
    const report = { __proto__: null, text: "", errors: new SafeSet() };
    try {
      if (isError(thrown)) addError(report, thrown, 0);
    } catch {
      // A proxy that throws: the report ends here.
    }
    return short(report.text);
  };

  /** The first line of a stack, if it is a frame. */
  shared.firstFrame = (stack) => {
    if (!StringPrototypeStartsWith(stack, "at ")) return "";
    const end = StringPrototypeIndexOf(stack, "\n");
    return end === -1 ? stack : StringPrototypeSlice(stack, 0, end);
  };
  shared.hasExplanation = (error) => explanationOf(error) !== undefined;
  shared.isError = isError;
  shared.short = short;
  shared.put = put;
})(globalThis);
