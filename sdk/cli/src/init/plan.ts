import { posix } from "node:path";
import type { Project } from "./project.js";
import { fetchRouteText, helloText, nextAppText, nextPagesText, plainServerText, routeText } from "./templates.js";

export interface NewFile {
  /** Relative to the project's root. */
  readonly path: string;
  readonly text: string;
}

export interface Plan {
  readonly files: readonly NewFile[];
  /** Packages that the files need and package.json does not name. */
  readonly missing: readonly string[];
  /** What only the user can do, in order. */
  readonly next: readonly string[];
}

const FOLDER = "src/aiki";

/** What `aiki init` writes into a project. Changes nothing itself. */
export function planInit(project: Project): Plan {
  const suffix = sourceSuffix(project);
  const hello = `${FOLDER}/hello${suffix}`;
  const from = (file: string) => importPath(file, hello, project.importSuffix);
  const helloFile = { path: hello, text: helloText(project) };
  switch (project.framework) {
    case "next-app": {
      const route = `${project.routes}/api/aiki/route${suffix}`;
      return plan(
        project,
        "@aikirun/next",
        [{ path: route, text: nextAppText(from(route)) }, helloFile],
        ["npm run dev"],
      );
    }
    case "next-pages": {
      const route = `${project.routes}/api/aiki${suffix}`;
      return plan(
        project,
        "@aikirun/next",
        [{ path: route, text: nextPagesText(from(route)) }, helloFile],
        ["npm run dev"],
      );
    }
    case "express":
    case "hono": {
      const route = `${FOLDER}/route${suffix}`;
      const files = [{ path: route, text: routeText(project, from(route)) }, helloFile];
      return plan(project, `@aikirun/${project.framework}`, files, [mountText(project, route), "start your app"]);
    }
    case "workers": {
      const route = `${FOLDER}/route${suffix}`;
      const files = [{ path: route, text: fetchRouteText(project, from(route)) }, helloFile];
      return plan(project, "@aikirun/endpoint", files, [workerMountText(project, route), "npx wrangler dev"]);
    }
    case "plain": {
      const server = `${FOLDER}/server${suffix}`;
      const files = [{ path: server, text: plainServerText(from(server)) }, helloFile];
      const run = project.typescript ? `npx tsx ${server}` : `node ${server}`;
      return plan(
        project,
        "@aikirun/endpoint",
        files,
        [run],
        ["@hono/node-server", ...(project.typescript ? ["tsx"] : [])],
      );
    }
  }
}

function plan(
  project: Project,
  adapter: string,
  files: readonly NewFile[],
  steps: readonly string[],
  others: readonly string[] = [],
): Plan {
  const needed = ["@aikirun/workflow", "@aikirun/client", adapter, ...others];
  const missing = needed.filter((name) => !project.packages.has(name));
  return {
    files,
    missing,
    next: [
      ...(missing.length > 0 ? [`${project.addCommand} ${missing.join(" ")}`] : []),
      ...steps,
      "npx aiki dev    (in a second terminal)",
      `npx aiki runs start hello --input '{"name":"Ada"}' --watch`,
    ],
  };
}

/** The one line to add, which `aiki init` does not write into a file that it does not understand. */
function mountText(project: Project, route: string): string {
  const appFile = project.appFile ?? `src/index${sourceSuffix(project)}`;
  const from = importPath(appFile, route, project.importSuffix);
  const get =
    project.esm || project.typescript ? `import { aiki } from "${from}";` : `const { aiki } = require("${from}");`;
  const mount = project.framework === "express" ? `app.use("/api/aiki", aiki);` : `app.all("/api/aiki", aiki);`;
  const where =
    project.appFile ?? `the file that makes your ${project.framework === "express" ? "Express" : "Hono"} app`;
  return `add to ${where}:\n       ${get}\n       ${mount}`;
}

function workerMountText(project: Project, route: string): string {
  const appFile = project.appFile ?? `src/index${sourceSuffix(project)}`;
  const from = importPath(appFile, route, project.importSuffix);
  return (
    `add to ${project.appFile ?? "your Worker"}, the second line as the first of fetch(request, env, ctx):\n` +
    `       import { aiki } from "${from}";\n` +
    `       if (new URL(request.url).pathname === "/api/aiki") return aiki(request, env, ctx);`
  );
}

function sourceSuffix(project: Project): string {
  if (project.typescript) return ".ts";
  return project.importSuffix === ".mjs" ? ".mjs" : ".js";
}

/** `./hello.js`, `../../src/aiki/hello`: how `file` names `target` in an import. */
function importPath(file: string, target: string, suffix: string): string {
  const relative = posix.relative(posix.dirname(file), target).replace(/\.[a-z]+$/, suffix);
  return relative.startsWith(".") ? relative : `./${relative}`;
}
