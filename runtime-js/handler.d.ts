// Types of handlers, the files in tasks/, for an editor. The server does not read them.
//
//   /** @type {import('../runtime-js/handler').Handler<{ days?: number }>} */
//   module.exports = async (params, ctx) => { … };
//
// The types of the globals are TypeScript's own: add "lib": ["ES2024", "DOM"] to the
// jsconfig.json of tasks/. Of the DOM a handler has: setTimeout, setInterval and their
// clear…, queueMicrotask, structuredClone; URL, URLSearchParams, URLPattern; TextEncoder,
// TextDecoder, atob, btoa; AbortController, AbortSignal, EventTarget, DOMException, Event,
// CustomEvent, MessageEvent, ErrorEvent, CloseEvent, ProgressEvent, PromiseRejectionEvent;
// fetch, Headers, Request, Response, FormData, Blob, File; web streams with
// TextEncoderStream, TextDecoderStream, CompressionStream, DecompressionStream; crypto with
// randomUUID, getRandomValues and subtle; performance.now and timeOrigin; console. There is
// no document, no file system and no socket.

/** The cause of a run. */
export type Trigger = "schedule" | "immediate" | "retry" | "manual" | "catch-up" | "backfill" | "after" | "alert";

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** The current run. Frozen. */
export interface Context {
  /** `task-…` */
  readonly taskId: string;
  readonly taskName: string;
  /** `exec-…` */
  readonly executionId: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** 1 + the task's `maxRetries`. */
  readonly maxAttempts: number;
  readonly trigger: Trigger;
  /** The planned time, epoch milliseconds. */
  readonly scheduledFor: number;
  /** `taskId/scheduledFor`: the same for every attempt of one occurrence, for services that take such a key. */
  readonly idempotencyKey: string;
  /** The place of the run in its trace, for the header `traceparent`; null unless the server records traces. */
  readonly traceparent: string | null;
  /** The occurrence after which the task runs, if its trigger is `after` (and in retries of it); else null. */
  readonly after: Predecessor | null;
  /**
   * Aborted 5 s before the task's timeout (half way through a timeout of 5 s or less;
   * its reason is a `TimeoutError`) and when the run is cancelled (an `AbortError`).
   * After a cancel, a handler that uses the signal has a second to finish; any other
   * handler is stopped at once.
   */
  readonly signal: AbortSignal;
  /** Entries of the task, kept on the server; `kv.shared` are those that all tasks share. */
  readonly kv: Entries & { readonly shared: Entries };
  /**
   * Calls `fn` and keeps its result: a later attempt of the occurrence is given the result
   * (as JSON) and does not call `fn`. A name is used once in a run.
   */
  step<T>(name: string, fn: () => T | PromiseLike<T>): Promise<T>;
  /** Shows how far the run is: a number from 0 to 1, and a text of at most 200 characters. */
  progress(fraction: number, text?: string | null): void;
  /** The secrets that are granted to the handler. */
  readonly secrets: {
    /** The value of a secret. Rejects with an error that says whether it is missing or not granted. */
    get(name: string): Promise<string>;
  };
}

/** The ended occurrence of the task that the task's field `after` names. */
export interface Predecessor {
  taskId: string;
  taskName: string;
  /** The last attempt. */
  executionId: string;
  status: "completed" | "failed" | "cancelled";
  /** The planned time, epoch milliseconds. */
  scheduledFor: number;
  /** `{ truncated: true }` if it has more than 16 KiB as JSON. */
  result: any;
  /** If it did not complete. */
  error: string | null;
}

/** An entry with its key. Versions only grow. */
export interface Entry {
  key: string;
  value: any;
  version: number;
  /** Epoch milliseconds; null without a `ttl`. */
  expiresAt: number | null;
}

/**
 * JSON under keys of 1 to 512 bytes, each value at most 64 KiB. A write is on the disk when
 * its promise resolves.
 */
export interface Entries {
  /** The value, or undefined. */
  get(key: string): Promise<any>;
  entry(key: string): Promise<Omit<Entry, "key"> | undefined>;
  /** Sets a value, for `ttl` milliseconds if given; resolves with its version. */
  set(key: string, value: Json | object, options?: { ttl?: number }): Promise<number>;
  /** Whether there was an entry. */
  delete(key: string): Promise<boolean>;
  /** In the order of the keys' bytes; at most `limit` (100; 1 to 1,000). */
  list(options?: { prefix?: string; limit?: number; cursor?: string }): Promise<{ entries: Entry[]; cursor?: string }>;
  /** Sets a value if the entry has this version (undefined: if there is none); whether it did. */
  compareAndSet(
    key: string,
    version: number | undefined,
    value: Json | object,
    options?: { ttl?: number },
  ): Promise<boolean>;
  /** Adds to a number, 0 if there is none; resolves with the sum. */
  increment(key: string, by?: number): Promise<number>;
}

/**
 * The result of a handler. An object whose own `success` is `false` makes the run
 * fail with its `error`, and so does an Error; `undefined` is recorded as null.
 */
export type Result = { success: false; error?: unknown } | Json | object | void;

/** `module.exports`, `module.exports.default` or `exports.default` of a file in tasks/. */
export type Handler<Params extends object = Record<string, any>> = (
  params: Params,
  ctx: Context,
) => Result | PromiseLike<Result>;

/**
 * `require('isochron:system')`, for the handlers named in the server's `systemHandlers`
 * setting. At most 32 calls may be in flight, and 10,000 made in one run, each `require` of a
 * file included.
 */
export interface System {
  /** Removes (or only counts) executions and audit records older than so many days. */
  removeHistory(options: { olderThan: number; dryRun?: boolean }): Promise<{ executions: number; audit: number }>;
  /** Records and bytes of each kind of record in the store. */
  statistics(options?: { detailed?: boolean }): Promise<any>;
  /** A value kept by `put`, or null. */
  get(key: string): Promise<any>;
  /** Keeps a value; keys have 1 to 200 bytes and are shared by all system handlers. */
  put(key: string, value: Json): Promise<any>;
}

declare module "isochron:system" {
  const system: System;
  export = system;
}
