import { AikiError, LIMITS } from "@aikirun/protocol/canonical";

/** What no name can hold everywhere: control characters, and lone surrogates, which UTF-8 does not have. */
const UNPRINTABLE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** Throws `INVALID_ARGUMENT` unless the text is a name that the protocol carries. */
export function checkName(name: unknown, what: string, maxChars: number = LIMITS.nameChars): asserts name is string {
  if (typeof name !== "string" || name.length === 0 || name.length > maxChars || UNPRINTABLE.test(name)) {
    throw new AikiError(
      "INVALID_ARGUMENT",
      `${what} must be 1 to ${maxChars} printable characters, not ${JSON.stringify(name)?.slice(0, 100)}.`,
    );
  }
}

/** Throws `INVALID_ARGUMENT` unless the text is a version id. */
export function checkVersion(version: unknown): asserts version is string {
  checkName(version, "A version id", LIMITS.versionChars);
  if (/[\s:@#/]/.test(version)) {
    throw new AikiError("INVALID_ARGUMENT", `Version id "${version}" must not hold white space or any of : @ # /.`);
  }
}
