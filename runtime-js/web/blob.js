// Blob and File of deno_web.
"use strict";

const { primordials } = __bootstrap;
const {
  ArrayPrototypePush,
  ObjectPrototypeIsPrototypeOf,
  ReflectApply,
  ReflectDeleteProperty,
  ReflectGetOwnPropertyDescriptor,
} = primordials;
const shared = __isochron;

// deno_web frees a part when V8 has collected its Blob and then runs a callback, which may be
// late. Here a part is plain memory, so nothing is to be freed.
class NoRegistry {
  register() {}
}

module.exports = shared.library("ext:deno_web/09_file.js", {
  __proto__: __bootstrap,
  primordials: { __proto__: primordials, SafeFinalizationRegistry: NoRegistry },
});

// The script puts these on URL; there is no store of object URLs here.
const { URL } = shared.load("ext:deno_web/00_url.js");
ReflectDeleteProperty(URL, "createObjectURL");
ReflectDeleteProperty(URL, "revokeObjectURL");

// --- structuredClone ---

const { Blob, BlobPrototype, File, FilePrototype } = module.exports;
const getterOf = (prototype, name) => ReflectGetOwnPropertyDescriptor(prototype, name).get;
const typeOf = getterOf(BlobPrototype, "type");
const nameOf = getterOf(FilePrototype, "name");
const dateOf = getterOf(FilePrototype, "lastModified");

ArrayPrototypePush(shared.cloners, (object) => {
  if (!ObjectPrototypeIsPrototypeOf(BlobPrototype, object)) return undefined;
  const type = ReflectApply(typeOf, object, []);
  if (!ObjectPrototypeIsPrototypeOf(FilePrototype, object)) return new Blob([object], { __proto__: null, type });
  const name = ReflectApply(nameOf, object, []);
  const lastModified = ReflectApply(dateOf, object, []);
  return new File([object], name, { __proto__: null, type, lastModified });
});
