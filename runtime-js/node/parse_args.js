// `util.parseArgs`, as Node's documentation has it.
"use strict";

const { coded, invalidType } = require("./errors.js");

function unknown(name, allowPositionals) {
  const advice = allowPositionals
    ? `. To specify a positional argument starting with a '-', place it at the end of the command after '--', as in '-- ${JSON.stringify(name)}`
    : "";
  return coded(TypeError, "ERR_PARSE_ARGS_UNKNOWN_OPTION", `Unknown option '${name}'${advice}`);
}

/** The options as they were configured: by long name, with the long names of short ones. */
function readOptions(options) {
  if (options === null || typeof options !== "object") throw invalidType("options", "an object", options);
  const byShort = new Map();
  for (const [name, option] of Object.entries(options)) {
    if (option === null || typeof option !== "object") throw invalidType(`options.${name}`, "an object", option);
    if (option.type !== "string" && option.type !== "boolean") {
      throw invalidType(`options.${name}.type`, "('string|boolean')", option.type);
    }
    if (option.short !== undefined) {
      if (typeof option.short !== "string") throw invalidType(`options.${name}.short`, "a string", option.short);
      if (option.short.length !== 1) {
        throw coded(TypeError, "ERR_INVALID_ARG_VALUE", `options.${name}.short must be a single character`);
      }
      byShort.set(option.short, name);
    }
    if (option.multiple !== undefined && typeof option.multiple !== "boolean") {
      throw invalidType(`options.${name}.multiple`, "a boolean", option.multiple);
    }
  }
  return { options, byShort };
}

/** The arguments as tokens: options, positionals and the `--` that ends the options. */
function tokensOf(args, { options, byShort }) {
  const tokens = [];
  const takesValue = (name) => options[name]?.type === "string";
  const isValue = (text) => text !== undefined;
  const rest = args.map((text, index) => ({ text, index }));
  const push = (name, rawName, index, value, inlineValue) =>
    tokens.push({ kind: "option", name, rawName, index, value, inlineValue });
  while (rest.length > 0) {
    const { text, index, inGroup } = rest.shift();
    if (text === "--" && !inGroup) {
      tokens.push({ kind: "option-terminator", index });
      for (const { text, index } of rest.splice(0)) tokens.push({ kind: "positional", index, value: text });
    } else if (text.startsWith("--") && text.length > 2) {
      const equals = text.indexOf("=", 3);
      const name = equals === -1 ? text.slice(2) : text.slice(2, equals);
      if (equals !== -1) push(name, `--${name}`, index, text.slice(equals + 1), true);
      else if (takesValue(name) && isValue(rest[0]?.text)) push(name, text, index, rest.shift().text, false);
      else push(name, text, index, undefined, undefined);
    } else if (text.startsWith("-") && text.length > 1) {
      const short = text[1];
      const name = byShort.get(short) ?? short;
      if (text.length === 2) {
        if (takesValue(name) && isValue(rest[0]?.text)) push(name, text, index, rest.shift().text, false);
        else push(name, text, index, undefined, undefined);
      } else if (takesValue(name)) {
        push(name, `-${short}`, index, text.slice(2), true);
      } else {
        // A group: `-abc` is `-a -b -c`.
        push(name, `-${short}`, index, undefined, undefined);
        rest.unshift({ text: `-${text.slice(2)}`, index, inGroup: true });
      }
    } else {
      tokens.push({ kind: "positional", index, value: text });
    }
  }
  return tokens;
}

function check(token, options, config) {
  const { name, rawName, value, inlineValue } = token;
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) throw unknown(rawName, config.allowPositionals);
  const shown = `${option.short === undefined ? "" : `-${option.short}, `}--${name}`;
  if (option.type === "string" && typeof value !== "string") {
    throw coded(TypeError, "ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option '${shown} <value>' argument missing`);
  }
  if (option.type === "boolean" && value !== undefined) {
    throw coded(TypeError, "ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option '${shown}' does not take an argument`);
  }
  if (inlineValue === false && value.length > 1 && value.startsWith("-")) {
    const example = rawName.startsWith("--") ? `'${rawName}=-XYZ'` : `'--${name}=-XYZ' or '${rawName}-XYZ'`;
    throw coded(
      TypeError,
      "ERR_PARSE_ARGS_INVALID_OPTION_VALUE",
      `Option '${rawName}' argument is ambiguous.\nDid you forget to specify the option argument for '${rawName}'?\n` +
        `To specify an option argument starting with a dash use ${example}.`,
    );
  }
}

function parseArgs(config = {}) {
  const args = config.args ?? process.argv.slice(2);
  const strict = config.strict ?? true;
  const allowPositionals = config.allowPositionals ?? !strict;
  const allowNegative = config.allowNegative ?? false;
  if (!Array.isArray(args)) throw invalidType("args", "an array", args);
  for (const [name, value] of Object.entries({ strict, allowPositionals, allowNegative })) {
    if (typeof value !== "boolean") throw invalidType(name, "a boolean", value);
  }
  const read = readOptions(config.options ?? {});
  const { options } = read;
  const tokens = tokensOf(args.map(String), read);
  const values = { __proto__: null };
  const positionals = [];
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (!allowPositionals) {
        throw coded(
          TypeError,
          "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL",
          `Unexpected argument '${token.value}'. This command does not take positional arguments`,
        );
      }
      positionals.push(token.value);
    }
    if (token.kind !== "option") continue;
    let value = token.value ?? true;
    if (allowNegative && token.name.startsWith("no-") && !Object.hasOwn(options, token.name)) {
      const positive = token.name.slice(3);
      if (!strict || options[positive]?.type === "boolean") {
        token.name = positive;
        value = false;
      }
    }
    if (strict) check(token, options, { allowPositionals });
    if (token.name === "__proto__") continue;
    if (options[token.name]?.multiple) (values[token.name] ??= []).push(value);
    else values[token.name] = value;
  }
  for (const [name, option] of Object.entries(options)) {
    if (option.default !== undefined && !Object.hasOwn(values, name)) values[name] = option.default;
  }
  return config.tokens ? { values, positionals, tokens } : { values, positionals };
}

module.exports = { parseArgs };
