/** The files that `aiki init` writes. A newcomer reads them first: they hold what is needed and nothing else. */
import type { Project } from "./project.js";

type Style = Pick<Project, "typescript" | "esm" | "importSuffix">;

export function helloText(style: Style): string {
  const name = style.typescript ? "name: string" : "name";
  const input = style.typescript ? "input: { name: string }" : "input";
  return `${importText(style, ["task", "workflow"], "@aikirun/workflow")}

// A task runs once: its output is recorded, and read back when the workflow is replayed.
const greet = task({
  name: "greet",
  async handler(${name}) {
    return \`Hello, \${name}!\`;
  },
});

// A workflow is an ordinary async function that survives crashes and restarts.
const helloV1 = workflow({ name: "hello" }).v("1.0.0", {
  async handler(run, ${input}) {
    const greeting = await greet.start(run, input.name);
    await run.sleep("a-moment", { seconds: 1 });
    return { greeting };
  },
});

${exportText(style, "helloV1")}
`;
}

export function nextAppText(hello: string): string {
  return `import { serveAiki } from "@aikirun/next";
import { helloV1 } from "${hello}";

// Next reads only a literal here; serveAiki must be told the same.
export const maxDuration = 60;
export const { GET, POST } = serveAiki([helloV1], { maxDuration: { seconds: 60 } });
`;
}

export function nextPagesText(hello: string): string {
  return `import { serveAiki } from "@aikirun/next/pages";
import { helloV1 } from "${hello}";

export default serveAiki([helloV1]);
`;
}

export function routeText(project: Style & Pick<Project, "framework">, hello: string): string {
  return `${importText(project, ["serveAiki"], `@aikirun/${project.framework}`)}
${importText(project, ["helloV1"], hello)}

// Every workflow that this app serves.
const aiki = serveAiki([helloV1]);

${exportText(project, "aiki")}
`;
}

export function fetchRouteText(style: Style, hello: string): string {
  return `${importText(style, ["endpoint"], "@aikirun/endpoint")}
${importText(style, ["helloV1"], hello)}

// Every workflow that this Worker serves.
const aiki = endpoint({ workflows: [helloV1] });

${exportText(style, "aiki")}
`;
}

export function plainServerText(hello: string): string {
  return `import { endpoint } from "@aikirun/endpoint";
import { serve } from "@hono/node-server";
import { helloV1 } from "${hello}";

// The endpoint is a function from Request to Response; any server that speaks fetch can run it.
serve({ fetch: endpoint({ workflows: [helloV1] }), port: 3000 }, ({ port }) => {
  console.log(\`endpoint on http://localhost:\${port}/api/aiki\`);
});
`;
}

/** CommonJS apps without TypeScript keep their own way of importing. */
function usesRequire(style: Style): boolean {
  return !style.typescript && !style.esm && style.importSuffix !== ".mjs";
}

function importText(style: Style, names: readonly string[], from: string): string {
  const list = `{ ${names.join(", ")} }`;
  return usesRequire(style) ? `const ${list} = require("${from}");` : `import ${list} from "${from}";`;
}

function exportText(style: Style, name: string): string {
  return usesRequire(style) ? `module.exports = { ${name} };` : `export { ${name} };`;
}
