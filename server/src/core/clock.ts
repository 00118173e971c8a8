/**
 * What this process knows of the database's clock: an interval that surely holds it. Instants are made from `latest`
 * (so that a timer is never early) and judged by `earliest` (so that it is never thought due too soon).
 * The idea is Spanner's TrueTime; the interval here is one round trip wide.
 */
export interface Instant {
  readonly earliest: number;
  readonly latest: number;
}
