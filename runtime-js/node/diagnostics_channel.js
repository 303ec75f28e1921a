// `diagnostics_channel`: named channels inside one run.
"use strict";

const { checkFunction } = require("./errors.js");

const channels = new Map();

class Channel {
  #subscribers = [];
  #stores = new Map();

  constructor(name) {
    this.name = name;
  }

  get hasSubscribers() {
    return this.#subscribers.length > 0 || this.#stores.size > 0;
  }
  subscribe(subscriber) {
    checkFunction(subscriber, "the subscriber");
    this.#subscribers = [...this.#subscribers, subscriber];
  }
  unsubscribe(subscriber) {
    const at = this.#subscribers.indexOf(subscriber);
    if (at === -1) return false;
    this.#subscribers = this.#subscribers.toSpliced(at, 1);
    return true;
  }
  bindStore(store, transform = (data) => data) {
    this.#stores.set(store, transform);
  }
  unbindStore(store) {
    return this.#stores.delete(store);
  }
  publish(data) {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(data, this.name);
      } catch (error) {
        // As in Node: the publisher goes on, and the run fails.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
  runStores(data, callback, self, ...args) {
    let run = () => {
      this.publish(data);
      return Reflect.apply(callback, self, args);
    };
    for (const [store, transform] of this.#stores) {
      const inner = run;
      run = () => store.run(transform(data), inner);
    }
    return run();
  }
}

function channel(name) {
  let known = channels.get(name);
  if (known === undefined) channels.set(name, known = new Channel(name));
  return known;
}

const PARTS = ["start", "end", "asyncStart", "asyncEnd", "error"];

class TracingChannel {
  constructor(nameOrChannels) {
    for (const part of PARTS) {
      this[part] = typeof nameOrChannels === "string"
        ? channel(`tracing:${nameOrChannels}:${part}`)
        : nameOrChannels[part];
    }
  }

  get hasSubscribers() {
    return PARTS.some((part) => this[part]?.hasSubscribers);
  }
  subscribe(subscribers) {
    for (const part of PARTS) if (subscribers[part]) this[part].subscribe(subscribers[part]);
  }
  unsubscribe(subscribers) {
    let all = true;
    for (const part of PARTS) {
      if (subscribers[part] && !this[part].unsubscribe(subscribers[part])) all = false;
    }
    return all;
  }
  #fail(context, error) {
    context.error = error;
    this.error.publish(context);
  }
  traceSync(callback, context = {}, self, ...args) {
    return this.start.runStores(context, () => {
      try {
        return context.result = Reflect.apply(callback, self, args);
      } catch (error) {
        this.#fail(context, error);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }
  tracePromise(callback, context = {}, self, ...args) {
    const settled = () => {
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
    };
    return this.start.runStores(context, () => {
      try {
        return Promise.resolve(Reflect.apply(callback, self, args)).then((result) => {
          context.result = result;
          settled();
          return result;
        }, (error) => {
          this.#fail(context, error);
          settled();
          throw error;
        });
      } catch (error) {
        this.#fail(context, error);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }
  traceCallback(callback, position = -1, context = {}, self, ...args) {
    const at = position < 0 ? args.length + position : position;
    const original = args[at];
    checkFunction(original, "the callback");
    const tracing = this;
    args[at] = function (error, result) {
      if (error) tracing.#fail(context, error);
      else context.result = result;
      return tracing.asyncStart.runStores(context, () => {
        try {
          return Reflect.apply(original, this, arguments);
        } finally {
          tracing.asyncEnd.publish(context);
        }
      });
    };
    return this.start.runStores(context, () => {
      try {
        return Reflect.apply(callback, self, args);
      } catch (error) {
        this.#fail(context, error);
        throw error;
      } finally {
        this.end.publish(context);
      }
    });
  }
}

module.exports = {
  Channel,
  channel,
  hasSubscribers: (name) => channels.get(name)?.hasSubscribers ?? false,
  subscribe: (name, subscriber) => channel(name).subscribe(subscriber),
  tracingChannel: (nameOrChannels) => new TracingChannel(nameOrChannels),
  unsubscribe: (name, subscriber) => channel(name).unsubscribe(subscriber),
};
