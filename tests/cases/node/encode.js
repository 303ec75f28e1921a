// Turns any value into JSON that two engines can be compared by. The body of a function of
// `value`, shared by `record.js` and the test.
const seen = new Set();
const encode = (value) => {
  switch (typeof value) {
    case "undefined":
      return { undefined: true };
    case "function":
      return { function: value.name };
    case "bigint":
      return { bigint: `${value}` };
    case "symbol":
      return { symbol: value.description ?? "" };
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { number: Object.is(value, -0) ? "-0" : `${value}` };
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (seen.has(value)) return { circular: true };
  if (value instanceof Uint8Array) return { bytes: Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("") };
  // Texts of errors are each engine's own where a code tells them apart.
  if (value instanceof Error) return { error: value.code === undefined ? value.name : `${value.code}` };
  if (value instanceof URL) return { url: value.href };
  if (value instanceof Date) return { date: value.toJSON() };
  if (value instanceof RegExp) return { regexp: `${value}` };
  seen.add(value);
  try {
    if (value instanceof Map) return { map: encode([...value]) };
    if (value instanceof Set) return { set: encode([...value]) };
    if (Array.isArray(value)) return value.map(encode);
    const result = {};
    for (const key of Object.keys(value)) result[key] = encode(value[key]);
    return result;
  } finally {
    seen.delete(value);
  }
};
return encode(value);
