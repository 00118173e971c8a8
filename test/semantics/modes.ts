/** The ways in which the code of a run is reached, and what the orchestrator runs on: each test here is run in each of them. */
export const modes = {
  /** Pushed, one answer for each step. */
  steps: { checkpoints: "off", pulled: false },
  /** Pushed, with checkpoints: one invocation goes on for as long as there is something to do. */
  checkpoints: { checkpoints: "on", pulled: false },
  /** Pulled by a worker. */
  worker: { checkpoints: "on", pulled: true },
  /** Pulled by a worker that hands in one answer for each step. */
  "worker steps": { checkpoints: "off", pulled: true },
} as const;
export type Mode = keyof typeof modes;

/** `hosts.ts` knows how each is started. */
export const hosts = ["node", "workers over Neon", "workers over Hyperdrive"] as const;
export type HostName = (typeof hosts)[number];

export interface Place {
  readonly mode: Mode;
  readonly host: HostName;
}

export const everywhere: readonly Place[] = hosts.flatMap((host) =>
  (Object.keys(modes) as Mode[]).map((mode) => ({ mode, host })),
);
const brief: readonly Place[] = [
  { mode: "steps", host: "node" },
  { mode: "checkpoints", host: "node" },
  { mode: "worker", host: "node" },
  { mode: "checkpoints", host: "workers over Neon" },
  { mode: "steps", host: "workers over Hyperdrive" },
];

/** How it is called in a report. */
export const nameOf = ({ mode, host }: Place) => (host === "node" ? mode : `${mode} on ${host}`);

/** Where the semantics are tested: each mode, host and driver once, or, where minutes do not count, all modes on all hosts. */
export const places = (all: boolean) => (all ? everywhere : brief);

/** The files of one place. Those in `pushed/` are about pushes: another endpoint, another URL, a host's time limit. */
export function filesOf({ mode }: Place): { include: string[]; exclude: string[] } {
  const exclude = modes[mode].pulled ? ["test/semantics/pushed/**"] : [];
  return { include: ["test/semantics/**/*.test.ts"], exclude };
}
