import type { Json } from "./json.js";
import type { StandardSchemaV1 } from "./schema.js";

/**
 * Any event, whatever its data. The constraint of a workflow's events says nothing about data: else one wrong event
 * would turn the inference of input, output and all other events into errors.
 */
export interface AnyEvent {
  readonly kind: "event";
  readonly schema: StandardSchemaV1 | undefined;
}

/** An event that is sent with `Sent` and received as `Received`. */
export interface EventDefinition<Received, Sent> extends AnyEvent {
  /** Only for the compiler. */
  readonly types?: { readonly received: Received; readonly sent: Sent };
}

export type EventMap = { readonly [name: string]: AnyEvent };
// biome-ignore lint/complexity/noBannedTypes: no members is what a workflow without events has
export type NoEvents = {};

export type ReceivedBy<E> = E extends EventDefinition<infer Received, infer _Sent> ? Received : never;
export type SentTo<E> = E extends EventDefinition<infer _Received, infer Sent> ? Sent : never;

/** Declares an event: `event()` without data, `event<Data>()` typed, `event({ schema })` typed and checked. */
export function event<Sent, Received>(options: {
  readonly schema: StandardSchemaV1<Sent, Received>;
}): EventDefinition<Received, Sent>;
export function event<Data = void>(): EventDefinition<Json<Data>, Data>;
export function event(options?: { readonly schema?: StandardSchemaV1 }): AnyEvent {
  return { kind: "event", schema: options?.schema };
}
