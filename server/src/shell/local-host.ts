/** The machine of a developer. */
export interface LocalHost {
  /** `host:port` of something that speaks as Neon does. */
  readonly neon?: string;
  /** Callers from this machine need no key. */
  readonly open: boolean;
  readonly pid: number;
  readonly folder: string;
  /** False: no object wakes by itself, so that only the cron trigger does. For tests. */
  readonly alarms?: boolean;
}

/** What a Worker on a developer's machine logs for each run that it brings to its end. */
export const RUN_ENDED = "run ended";
