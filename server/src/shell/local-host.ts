/** The machine of a developer, who needs no key. */
export interface LocalHost {
  /** `host:port` of something that speaks as Neon does. */
  readonly neon?: string;
  readonly pid: number;
  readonly folder: string;
  /** False: no object wakes by itself, so that only the cron trigger does. For tests. */
  readonly alarms?: boolean;
}
