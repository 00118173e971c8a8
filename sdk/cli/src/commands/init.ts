import { Command } from "commander";
import pc from "picocolors";
import { planInit } from "../init/plan.js";
import { inspectProject } from "../init/project.js";
import { type Written, writeNew } from "../init/write.js";
import { session } from "../session.js";

export function initCommand(): Command {
  return new Command("init")
    .description("write the route and a first workflow into the app in this folder; overwrites nothing")
    .action((_options: object, command: Command) => {
      const { print } = session(command);
      const project = inspectProject(process.cwd());
      const { files, missing, next } = planInit(project);
      const written = files.map((file) => writeNew(project.root, file));
      print({ framework: project.framework, files: written, missing, next }, () =>
        [
          `found ${FOUND[project.framework]}`,
          ...written.map(writtenText),
          "next:",
          ...next.map((step, index) => `  ${index + 1}. ${step}`),
        ].join("\n"),
      );
    });
}

const FOUND = {
  "next-app": "Next.js with the app router",
  "next-pages": "Next.js with the pages router",
  express: "Express",
  hono: "Hono",
  workers: "a Cloudflare Worker",
  plain: "no framework: a small server of its own",
} as const;

function writtenText({ path, outcome }: Written): string {
  if (outcome === "wrote") return `${pc.green("wrote")} ${path}`;
  return outcome === "same"
    ? `${pc.dim("there already")} ${path}`
    : `${pc.yellow("left as it is")} ${path} exists with other content`;
}
