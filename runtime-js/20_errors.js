// Errors as texts. What is thrown is the handler's: anything here may run its getters,
// throw again, or never come back (then the watchdog ends the run).
"use strict";

((global) => {
  const { core, primordials } = global.__bootstrap;
  const {
    AggregateErrorPrototype,
    ArrayIsArray,
    ErrorPrototype,
    ObjectPrototypeIsPrototypeOf,
    SafeWeakMap,
    String,
    StringPrototypeIndexOf,
    StringPrototypeSlice,
    WeakMapPrototypeGet,
    WeakMapPrototypeSet,
  } = primordials;
  const { op_isochron_frames } = core.ops;
  const ours = global.__isochron;

  // Texts leave the runner cut to 8 KiB, so there is no use in making longer ones.
  const LONGEST = 8192;
  const short = (text) =>
    text.length > LONGEST ? StringPrototypeSlice(text, 0, LONGEST - 1) + "…" : text;

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

  /** A property that may be a getter that throws; only a string counts. */
  function read(object, key) {
    try {
      const value = object[key];
      return typeof value === "string" ? value : "";
    } catch {
      return "";
    }
  }

  function nameOf(error) {
    const name = read(error, "name");
    if (name !== "" && name !== "Error") return name;
    const { constructor } = error;
    return typeof constructor === "function" && read(constructor, "name") || "Error";
  }

  function textOfError(error) {
    const name = nameOf(error);
    let text = short(read(error, "message"));
    if (text === "") text = name;
    else if (name !== "Error") text = `${name}: ${text}`;
    if (ObjectPrototypeIsPrototypeOf(AggregateErrorPrototype, error)) {
      const errors = error.errors;
      if (ArrayIsArray(errors)) {
        for (let i = 0; i < errors.length && i < 5; i++) {
          text += `${i === 0 ? " (" : "; "}${text_(errors[i])}`;
        }
        if (errors.length > 5) text += `; and ${errors.length - 5} more`;
        if (errors.length > 0) text += ")";
      }
    }
    return text;
  }

  let depth = 0; // of aggregates in aggregates
  function text_(thrown) {
    const known = explanation(thrown);
    if (known !== undefined) return known;
    if (isError(thrown)) {
      if (depth > 3) return "…";
      depth++;
      try {
        return textOfError(thrown);
      } finally {
        depth--;
      }
    }
    if (typeof thrown === "string") return thrown === "" ? "an empty string was thrown" : thrown;
    if (typeof thrown === "object" && thrown !== null || typeof thrown === "function") {
      return ours.inspect(thrown);
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

  function framesOf(error) {
    const stack = error.stack;
    if (typeof stack !== "string") return "";
    // The frames stand at the end, however long the message is.
    return op_isochron_frames(StringPrototypeSlice(stack, -32768));
  }

  /** Frames in the handler's own files, then the same of its causes; may be empty. */
  ours.stackOf = (thrown) => {
    try {
      let text = "";
      for (let level = 0; level < 5 && isError(thrown); level++) {
        const frames = explanation(thrown) === undefined || level > 0 ? framesOf(thrown) : "";
        if (level > 0) text += `${text === "" ? "" : "\n"}caused by: ${ours.describe(thrown)}`;
        if (frames !== "") text += (text === "" ? "" : "\n") + frames;
        thrown = thrown.cause;
      }
      return short(text);
    } catch {
      return "";
    }
  };

  /** The first line of a stack. */
  ours.firstFrame = (stack) => {
    const end = StringPrototypeIndexOf(stack, "\n");
    return end === -1 ? stack : StringPrototypeSlice(stack, 0, end);
  };
  ours.isExplained = (error) => explanation(error) !== undefined;
  ours.isError = isError;
  ours.short = short;
})(globalThis);
