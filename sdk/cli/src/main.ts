import { CommanderError } from "commander";
import { EXIT } from "./exit.js";
import { report } from "./failure.js";
import { program } from "./program.js";

/** Runs one command line, without the program's own name. Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  process.exitCode = EXIT.done;
  try {
    await program().parseAsync(args, { from: "user" });
    return Number(process.exitCode);
  } catch (error) {
    // Commander has printed its own message by now; asking for help or the version is no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    report(error, args.includes("--json"));
    return EXIT.failed;
  }
}
