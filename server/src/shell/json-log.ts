/** One JSON object per line on standard error. */
import type { Log, LogFields } from "../log.js";

export function jsonLog(write: (line: string) => void = (line) => void process.stderr.write(line)): Log {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
  return { info: at("info"), warn: at("warn"), error: at("error") };
}
