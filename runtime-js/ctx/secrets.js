// ctx.secrets: the secrets that are granted to the handler.
"use strict";

const { primordials } = __bootstrap;
const { JSONStringify, ObjectFreeze, TypeError } = primordials;
const { call, shown } = require("./call.js");

const secrets = {
  async get(name) {
    if (typeof name !== "string") throw new TypeError(`the name of a secret is a string, not ${shown(name)}`);
    return await call("secrets.get", `{"name":${JSONStringify(name)}}`);
  },
};
module.exports = { secrets: ObjectFreeze(secrets) };
