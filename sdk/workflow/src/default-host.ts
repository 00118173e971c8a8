import type { Host } from "./replay/host.js";

/** What this file uses of runtimes that may lack it. */
interface Runtime {
  readonly process?: { readonly nextTick?: (callback: () => void) => void };
  readonly setImmediate?: (callback: () => void) => void;
  readonly navigator?: { readonly userAgent?: string };
}
const runtime: Runtime = globalThis as unknown as Runtime;
/** Their message channels, and their `nextTick` where they have Node's, do not wait for the microtask queue; timers do. */
const onWorkers = runtime.navigator?.userAgent === "Cloudflare-Workers";

/** The real clock, chance and event loop of Node, Bun, Deno, Workers and browsers. */
export const defaultHost: Host = {
  now: () => Date.now(),
  random: () => Math.random(),
  afterTurn: turn(),
  afterMicrotasks: microtasks(),
  setTimer(ms, callback) {
    // setTimeout's delay is a signed 32-bit number; no invocation lasts that long.
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

function turn(): (callback: () => void) => void {
  if (onWorkers) return (callback) => void setTimeout(callback, 0);
  const immediate = runtime.setImmediate;
  if (immediate) return (callback) => immediate(callback);
  if (typeof MessageChannel === "undefined") return (callback) => void setTimeout(callback, 0);
  return (callback) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      callback();
    };
    port2.postMessage(null);
  };
}

function microtasks(): (callback: () => void) => void {
  const nextTick = runtime.process?.nextTick;
  if (!nextTick || onWorkers) return turn();
  // A tick that is queued by a microtask runs when the microtask queue is empty; one queued by a tick runs before
  // the microtasks, hence the detour. Not queueMicrotask: Node's costs twice as much.
  const resolved = Promise.resolve();
  return (callback) => void resolved.then(() => nextTick(callback));
}
