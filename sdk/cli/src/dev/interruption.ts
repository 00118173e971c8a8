const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interruption {
  /** Aborted by the first signal, or by `abort`. */
  readonly signal: AbortSignal;
  /** Resolves then. */
  readonly happened: Promise<void>;
  abort(): void;
  /** Gives the signals back to the system. */
  release(): void;
}

/** Turns Ctrl-C, a stop by a supervisor and a closed terminal into a clean stop; a second one does not wait for it. */
export function interruption(): Interruption {
  const controller = new AbortController();
  let signals = 0;
  const onSignal = () => {
    if (++signals > 1) process.exit(1);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  const happened = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return {
    signal: controller.signal,
    happened,
    abort: () => controller.abort(),
    release() {
      for (const name of SIGNALS) process.removeListener(name, onSignal);
    },
  };
}
