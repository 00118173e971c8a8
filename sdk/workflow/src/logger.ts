/**
 * What Aiki asks of a logger. pino's shape: an optional object of fields first, then the message. A logger that has
 * `child` is asked for one that carries `run`, `workflow` and, in tasks, `task` and `taskAttempt` on every line.
 */
export interface Logger {
  trace(fields: object, message?: string): void;
  trace(message: string): void;
  debug(fields: object, message?: string): void;
  debug(message: string): void;
  info(fields: object, message?: string): void;
  info(message: string): void;
  warn(fields: object, message?: string): void;
  warn(message: string): void;
  error(fields: object, message?: string): void;
  error(message: string): void;
  child?(bindings: Record<string, unknown>): Logger;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** The arguments of one log call, whichever overload was used. */
export type LogArguments = [fields: object, message?: string | undefined] | [message: string];

/** A logger made from one function; used to put conditions and fields in front of another logger. */
export function loggerFrom(write: (level: LogLevel, args: LogArguments) => void): Logger {
  const at =
    (level: LogLevel) =>
    (...args: LogArguments): void =>
      write(level, args);
  return { trace: at("trace"), debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Calls `logger` at a level with either form of arguments. */
export function logTo(logger: Logger, level: LogLevel, args: LogArguments): void {
  if (typeof args[0] === "string") logger[level](args[0]);
  else logger[level](args[0], args[1]);
}

/** A logger whose lines, and those of its children, are written only while `passes` says so. */
export function filtered(logger: Logger, passes: () => boolean): Logger {
  const lines = loggerFrom((level, args) => {
    if (passes()) logTo(logger, level, args);
  });
  if (!logger.child) return lines;
  return { ...lines, child: (bindings) => filtered(bind(logger, bindings), passes) };
}

/** A child with these bindings where the logger makes one, else the logger itself. */
export function bind(logger: Logger, bindings: Record<string, unknown>): Logger {
  return logger.child?.(bindings) ?? logger;
}

/** The default: `info` and above on the console, fields as JSON after the message. */
export const consoleLogger: Logger = loggerFrom((level, args) => {
  if (level === "trace" || level === "debug") return;
  const [fields, message] = typeof args[0] === "string" ? [undefined, args[0]] : [args[0], args[1] ?? ""];
  if (fields === undefined) console[level](message);
  else console[level](message, fields);
});
