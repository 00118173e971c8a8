import type { JsonValue } from "@aikirun/protocol";

export type { JsonValue };

/**
 * What a value of type `T` is after it was recorded as JSON and read again: a `Date` is a string, a `Map` is `{}`,
 * `undefined` in an array is `null`; functions, symbols and bigints cannot be recorded and are `never`.
 */
export type Json<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? JsonValue
    : T extends { toJSON(...args: never): infer Plain }
      ? Json<Plain>
      : // biome-ignore lint/suspicious/noConfusingVoidType: what a handler without a result gives
        T extends string | number | boolean | null | undefined | void
        ? T
        : T extends bigint | symbol | ((...args: never) => unknown)
          ? never
          : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
            ? Record<string, never>
            : T extends readonly unknown[]
              ? {
                  [Index in keyof T]: undefined extends T[Index]
                    ? Json<Exclude<T[Index], undefined>> | null
                    : Json<T[Index]>;
                }
              : { [Key in keyof T]: Json<T[Key]> };

/** The arguments that carry a value of type `T`: none for `void`, an optional one where `undefined` is allowed. */
export type Args<T> = 0 extends 1 & T
  ? [value?: T]
  : // biome-ignore lint/suspicious/noConfusingVoidType: what an event or handler without data declares
    [T] extends [void]
    ? []
    : undefined extends T
      ? [value?: T]
      : [value: T];
