// Stands before testharness.js in each handler that tests/wpt/run makes: a shell without a
// document, whose relative addresses lead to the test server.
const ORIGIN = '@ORIGIN@';
const location = new URL('@PATH@', ORIGIN);
Object.defineProperty(globalThis, 'location', { value: location, configurable: true });
globalThis.GLOBAL = { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false };
{
  const absolute = (input) => (typeof input === 'string' || input instanceof URL ? new URL(input, location).href : input);
  const plainFetch = fetch;
  globalThis.fetch = function fetch(input, init) {
    return arguments.length === 0 ? plainFetch() : plainFetch(input instanceof Request ? input : absolute(`${input}`), init);
  };
  globalThis.Request = new Proxy(Request, {
    construct: (target, [input, ...rest], made) =>
      Reflect.construct(target, input === undefined ? [] : [input instanceof target ? input : absolute(`${input}`), ...rest], made),
  });
  const plainRedirect = Response.redirect;
  Response.redirect = (url, ...rest) => plainRedirect(absolute(url), ...rest);
}
// Tests of Blob read with it.
globalThis.FileReader = class FileReader extends EventTarget {
  #read(promise) {
    promise.then((result) => {
      this.result = result;
      const event = new Event('load');
      this.onload?.(event);
      this.onloadend?.(event);
      this.dispatchEvent(event);
    });
  }
  readAsArrayBuffer(blob) {
    this.#read(blob.arrayBuffer());
  }
  readAsText(blob, label) {
    this.#read(blob.arrayBuffer().then((bytes) => new TextDecoder(label).decode(bytes)));
  }
};
