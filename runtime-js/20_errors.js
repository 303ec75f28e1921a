// Errors as texts. What is thrown is the handler's: anything here may run its getters,
// throw again, or never come back (then the watchdog ends the run).
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
  const ours = global.__isochron;
  // V8 adds SuppressedError to each new context, so the snapshot lacks it; `boot` sets this.
  let SuppressedErrorPrototype = { __proto__: null };
  ours.bootErrors = () => {
    SuppressedErrorPrototype = global.SuppressedError.prototype;
  };

  // Texts leave the runner cut to 8 KiB, so there is no use in making longer ones.
  const LONGEST = 8192;
  // Characters of the fields of one error, or of a cause that is no error.
  const LONGEST_FIELDS = 2048;
  const MOST_FIELDS = 20;
  // Parts that are told of an error that is made of several.
  const MOST_PARTS = 5;
  // Errors in one stack: causes, parts, and theirs.
  const MOST_ERRORS = 16;
  // Causes of causes.
  const DEEPEST = 5;
  const cut = (text, longest) =>
    text.length > longest ? StringPrototypeSlice(text, 0, longest - 1) + "\u2026" : text;
  const short = (text) => cut(text, LONGEST);

  const isError = (value) =>
    core.isNativeError(value) ||
    (typeof value === "object" && value !== null &&
      ObjectPrototypeIsPrototypeOf(ErrorPrototype, value));

  // The compiler's own text of a syntax error, with the line and a caret.
  const explained = new SafeWeakMap();
  ours.explain = (error, text) => WeakMapPrototypeSet(explained, error, text);
  const explanation = (error) =>
    typeof error === "object" && error !== null
      ? WeakMapPrototypeGet(explained, error)
      : undefined;

  /** A property that may be a getter that throws. */
  function get(object, key) {
    try {
      return object[key];
    } catch {
      return undefined;
    }
  }
  /** The same; only a string counts. */
  function read(object, key) {
    const value = get(object, key);
    return typeof value === "string" ? value : "";
  }

  function nameOf(error) {
    const name = read(error, "name");
    if (name !== "" && name !== "Error") return name;
    const constructor = get(error, "constructor");
    return typeof constructor === "function" && read(constructor, "name") || "Error";
  }

  /** The errors that an error is made of: `[label, error]`. */
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
    if (typeof length !== "number") return parts; // of a proxy
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
    let text = short(read(error, "message"));
    if (text === "") text = name;
    else if (name !== "Error") text = `${name}: ${text}`;
    const parts = partsOf(error);
    for (let i = 0; i < parts.length; i++) {
      const { 0: label, 1: part } = parts[i];
      text += i === 0 ? " (" : "; ";
      text += part === NONE
        ? label
        : `${StringPrototypeStartsWith(label, "suppressed") ? label : ""}${text_(part)}`;
    }
    return parts.length > 0 ? `${text})` : text;
  }

  let depth = 0; // of aggregates in aggregates
  function text_(thrown) {
    const known = explanation(thrown);
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
      return ours.inspect(thrown, { __proto__: null, depth: 2 });
    }
    return `${typeof thrown === "bigint" ? `${String(thrown)}n` : String(thrown)} was thrown`;
  }

  /** One text for people. */
  ours.describe = (thrown) => {
    try {
      depth = 0;
      return short(text_(thrown));
    } catch {
      return "an error that cannot be shown was thrown";
    }
  };

  // --- stacks ---

  // No more is formatted than has room.
  const BRIEFLY = {
    __proto__: null,
    depth: 2,
    breakLength: Infinity,
    compact: true,
    maxArrayLength: 20,
    maxStringLength: 1000,
  };
  const inspectBriefly = (value) =>
    cut(StringPrototypeReplaceAll(ours.inspect(value, BRIEFLY), "\n", " "), LONGEST_FIELDS);

  function framesOf(error) {
    const stack = get(error, "stack");
    if (typeof stack !== "string") return "";
    // The frames stand at the end, however long the message is.
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
        put(fields, key, isError(own.value) ? ours.describe(own.value) : own.value);
      } else {
        ObjectDefineProperty(fields, key, { __proto__: null, get: own.get, enumerable: true });
      }
      some = true;
      kept++;
    }
    return some ? inspectBriefly(fields) : "";
  }

  /** Adds the lines about one error, its causes and its parts. */
  function tell(told, error, level) {
    if (told.text.length > LONGEST || SetPrototypeGetSize(told.errors) >= MOST_ERRORS) return;
    SetPrototypeAdd(told.errors, error);
    if (level === 0 && explanation(error) !== undefined) return;
    add(told, framesOf(error));
    const parts = partsOf(error);
    const fields = fieldsOf(error, parts.length > 0);
    if (fields !== "") add(told, `with ${fields}`);
    for (let i = 0; i < parts.length; i++) tellOf(told, parts[i][0], parts[i][1], level);
    const cause = get(error, "cause");
    if (cause !== undefined) tellOf(told, "caused by: ", cause, level);
  }

  function tellOf(told, label, value, level) {
    if (value === NONE) return add(told, label);
    if (SetPrototypeHas(told.errors, value)) return;
    const plain = !isError(value) && typeof value !== "string";
    add(told, label + (plain ? inspectBriefly(value) : ours.describe(value)));
    if (isError(value) && level + 1 < DEEPEST) tell(told, value, level + 1);
  }

  const add = (told, line) => {
    if (line !== "") told.text += told.text === "" ? line : `\n${line}`;
  };

  /**
   * Frames in the handler's own files and own fields, then the same of the parts of an error
   * and of its causes; may be empty.
   */
  ours.stackOf = (thrown) => {
    const told = { __proto__: null, text: "", errors: new SafeSet() };
    try {
      if (isError(thrown)) tell(told, thrown, 0);
    } catch {
      // A proxy that throws: what has been told so far.
    }
    return short(told.text);
  };

  /** The first line of a stack, if it is a frame. */
  ours.firstFrame = (stack) => {
    if (!StringPrototypeStartsWith(stack, "at ")) return "";
    const end = StringPrototypeIndexOf(stack, "\n");
    return end === -1 ? stack : StringPrototypeSlice(stack, 0, end);
  };
  ours.isExplained = (error) => explanation(error) !== undefined;
  ours.isError = isError;
  ours.short = short;
  ours.put = put;
})(globalThis);
