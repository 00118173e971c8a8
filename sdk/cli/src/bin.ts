#!/usr/bin/env node
import { main } from "./main.js";

// A reader that has seen enough, such as `head`, closes the pipe.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
