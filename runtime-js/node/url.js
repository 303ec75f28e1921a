// `url`: the engine's URL, and for `parse`, `format` and `resolve` the package `url`.
"use strict";

const legacy = require("ext:isochron/vendor/url/url.js");
const { coded, invalidType } = require("./errors.js");

function fileURLToPath(value) {
  const url = typeof value === "string" ? new URL(value) : value;
  if (!(url instanceof URL)) throw invalidType("the URL", "a URL or its text", value);
  if (url.protocol !== "file:") {
    throw coded(TypeError, "ERR_INVALID_URL_SCHEME", `the URL must begin with file:, not ${url.protocol}`);
  }
  if (url.hostname !== "") {
    throw coded(TypeError, "ERR_INVALID_FILE_URL_HOST", `a file's URL has no host, not ${url.hostname}`);
  }
  if (/%2f/i.test(url.pathname)) {
    throw coded(TypeError, "ERR_INVALID_FILE_URL_PATH", "a file's URL must not hold an encoded /");
  }
  return decodeURIComponent(url.pathname);
}

const ENCODED = { "%": "%25", "\\": "%5C", "\n": "%0A", "\r": "%0D", "\t": "%09", "?": "%3F", "#": "%23" };

function pathToFileURL(path) {
  const { resolve } = require("path");
  if (typeof path !== "string") throw invalidType("the path", "a string", path);
  let resolved = resolve(path);
  if (path.endsWith("/") && resolved !== "/") resolved += "/";
  return new URL(`file://${resolved.replace(/[%\\\n\r\t?#]/g, (character) => ENCODED[character])}`);
}

const asciiOf = (domain) => {
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return "";
  }
};

function format(value, options) {
  if (!(value instanceof URL)) return legacy.format(value);
  const { auth = true, fragment = true, search = true, unicode = false } = options ?? {};
  const url = new URL(value.href);
  if (!fragment) url.hash = "";
  if (!search) url.search = "";
  if (!auth) url.username = url.password = "";
  if (!unicode || url.host === "") return url.href;
  const { toUnicode } = require("punycode");
  return url.href.replace(url.host, toUnicode(url.host));
}

function urlToHttpOptions(url) {
  const options = {
    protocol: url.protocol,
    hostname: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
    hash: url.hash,
    search: url.search,
    pathname: url.pathname,
    path: `${url.pathname}${url.search}`,
    href: url.href,
  };
  if (url.port !== "") options.port = Number(url.port);
  if (url.username !== "" || url.password !== "") {
    options.auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  }
  return options;
}

module.exports = {
  URL,
  URLSearchParams,
  Url: legacy.Url,
  domainToASCII: asciiOf,
  domainToUnicode: (domain) => require("punycode").toUnicode(asciiOf(domain)),
  fileURLToPath,
  format,
  parse(url, parseQuery, slashesDenoteHost) {
    if (typeof url !== "string" && !(url instanceof legacy.Url)) throw invalidType("the URL", "a string", url);
    return legacy.parse(url, parseQuery, slashesDenoteHost);
  },
  pathToFileURL,
  resolve: legacy.resolve,
  resolveObject: legacy.resolveObject,
  urlToHttpOptions,
};
