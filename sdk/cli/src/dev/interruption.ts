const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Resolves at the first signal. */
  readonly happened: Promise<void>;
  /** Gives the signals back to the system. */
  release(): void;
}

/** Turns Ctrl-C, a stop by a supervisor and a closed terminal into a clean stop; a second Ctrl-C does not wait for it. */
export function interruption(): Interruption {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  const happened = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return {
    signal: controller.signal,
    happened,
    release() {
      for (const name of SIGNALS) process.removeListener(name, onSignal);
    },
  };
}
