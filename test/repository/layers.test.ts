import { describe, expect, it } from "vitest";
import { type Import, importsOf, readText, ts, typescriptFiles, visit } from "./sources.js";

/** Who may import whom among the packages. Everything else is an error. */
const PACKAGES: Record<string, readonly string[]> = {
  "sdk/protocol": [],
  "sdk/workflow": ["@aikirun/protocol"],
  "sdk/endpoint": ["@aikirun/protocol", "@aikirun/workflow"],
  "sdk/client": ["@aikirun/protocol"],
  "sdk/worker": ["@aikirun/protocol", "@aikirun/workflow", "@aikirun/endpoint", "@aikirun/client"],
  "sdk/testing": ["@aikirun/protocol", "@aikirun/workflow", "@aikirun/endpoint", "@aikirun/server"],
  "sdk/cli": ["@aikirun/protocol", "@aikirun/client", "@aikirun/server"],
  "adapters/hono": ["@aikirun/workflow", "@aikirun/endpoint"],
  "adapters/express": ["@aikirun/workflow", "@aikirun/endpoint"],
  "adapters/next": ["@aikirun/workflow", "@aikirun/endpoint"],
  server: ["@aikirun/protocol"],
};

/** Who may import whom inside the server. `index.ts` is the package's door. */
const SERVER_FOLDERS: Record<string, readonly string[]> = {
  core: ["core"],
  store: ["core", "store"],
  egress: ["egress"],
  schema: ["schema"],
  dispatch: ["core", "store", "egress", "schema", "dispatch"],
  api: ["core", "store", "egress", "dispatch", "api"],
  shell: ["core", "store", "egress", "dispatch", "api", "shell"],
};

/**
 * Decides and never acts: no clock, no chance, no input or output. The index of replay is its door, where the host that
 * has all of these is handed in.
 */
const PURE = /^(server\/src\/(core|schema)|sdk\/workflow\/src\/replay)\/(?!index\.ts$)/;
/** Code of others that is as pure. croner starts nothing unless it is given a function, and asks no clock when it is given an instant. */
const PURE_PACKAGES: readonly string[] = ["@aikirun/protocol/canonical", "croner"];
const IMPURE = /^(Date|Math\.random|performance|setTimeout|setInterval|setImmediate|fetch|process|crypto|globalThis)$/;

const sources = typescriptFiles().filter((path) => /^(server|(sdk|adapters)\/[^/]+)\/src\//.test(path));
const edges = sources.flatMap((path) => importsOf(path).map((edge) => ({ path, ...edge })));
const pure = reachable(sources.filter((path) => PURE.test(path)));

describe("the direction of dependencies", () => {
  it("sees the sources of every package", () => {
    const seen = new Set(sources.map(packageOf));
    expect([...seen].filter((name) => !(name in PACKAGES))).toEqual([]);
    expect(edges.length).toBeGreaterThan(20);
  });

  it("holds between packages", () => {
    const wrong = edges.filter(({ path, target }) => {
      const owner = packageOf(path);
      if (sources.includes(target) || target.includes("/src/")) return packageOf(target) !== owner;
      const scoped = /^@aikirun\/[^/]+/.exec(target)?.[0];
      return scoped !== undefined && scoped !== nameOf(owner) && !PACKAGES[owner]?.includes(scoped);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it("takes nothing that the package's own manifest does not name", () => {
    const wrong = edges.filter(({ path, target, typeOnly }) => {
      if (target.includes("/src/") || /^(node|cloudflare):/.test(target) || target === "(computed)") return false;
      const name = /^(@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? target;
      return !allowedBy(manifestOf(packageOf(path)), typeOnly).has(name);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it("holds between the folders of the server", () => {
    const wrong = edges.filter(({ path, target }) => {
      const [from, to] = [serverFolder(path), serverFolder(target)];
      return from !== undefined && to !== undefined && !SERVER_FOLDERS[from]?.includes(to);
    });
    expect(wrong.map(show)).toEqual([]);
    const unknown = sources.map(serverFolder).filter((folder) => folder !== undefined && !(folder in SERVER_FOLDERS));
    expect(unknown).toEqual([]);
  });

  it("gives the pure folders nothing but protocol types, canonical JSON and what is pure itself", () => {
    const wrong = edges.filter(({ path, target, typeOnly }) => {
      if (!pure.has(path) || sources.includes(target)) return false;
      return !PURE_PACKAGES.includes(target) && !typeOnly;
    });
    expect(wrong.map(show)).toEqual([]);
  });
});

describe("the dashboard", () => {
  it("knows the orchestrator by its public API alone, and brings no schemas to the browser", () => {
    const page = typescriptFiles().filter((path) => path.startsWith("server/dashboard/src/"));
    const imports = page.flatMap((path) => importsOf(path).map((edge) => ({ path, ...edge })));
    expect(page.length).toBeGreaterThan(50);
    const wrong = imports.filter(({ target, typeOnly }) => {
      // The judge of JSON Schemas is pure and bounded, and the same values should fit here and there.
      if (target.startsWith("server/")) return !/^server\/(dashboard\/src|src\/schema)\//.test(target);
      if (target === "@aikirun/protocol") return !typeOnly;
      return target.startsWith("@aikirun/") && target !== "@aikirun/protocol/canonical";
    });
    expect(wrong.map(show)).toEqual([]);
  });
});

describe("what a layer may touch", () => {
  it("keeps clock, chance and input or output out of the pure folders and of all that they use", () => {
    expect(pure.size).toBeGreaterThan(5);
    expect([...pure].flatMap((path) => globalsIn(path, (name) => IMPURE.test(name)))).toEqual([]);
  });

  it("lets only the shell of the server know the runtime and read the environment", () => {
    const inner = sources.filter((path) => path.startsWith("server/src/") && serverFolder(path) !== "shell");
    expect(inner.flatMap((path) => globalsIn(path, (name) => /^(process|Deno|Bun)$/.test(name)))).toEqual([]);
  });
});

describe("the entry for tests", () => {
  it("loads no database, no socket and no runtime", () => {
    const loaded = reachable(["server/src/testing.ts"]);
    expect(loaded.size).toBeGreaterThan(30);
    const outside = edges.filter(
      ({ path, target, typeOnly }) => loaded.has(path) && !typeOnly && !sources.includes(target),
    );
    expect(new Set(outside.map(({ target }) => target))).toEqual(
      new Set(["@aikirun/protocol", "@aikirun/protocol/canonical", "croner", "zod"]),
    );
    expect([...loaded].filter((path) => /postgres|\/(shell|egress)\//.test(path))).toEqual([]);
  });
});

/** These sources and those of the same repository that they load when they run. */
function reachable(from: readonly string[]): Set<string> {
  const found = new Set(from);
  for (const path of found) {
    for (const edge of edges) {
      if (edge.path === path && !edge.typeOnly && sources.includes(edge.target)) found.add(edge.target);
    }
  }
  return found;
}

function packageOf(path: string): string {
  return path.startsWith("server/") ? "server" : path.split("/").slice(0, 2).join("/");
}

function serverFolder(path: string): string | undefined {
  return /^server\/src\/([^/]+)\//.exec(path)?.[1];
}

function manifestOf(owner: string): Record<string, unknown> {
  return JSON.parse(readText(`${owner}/package.json`));
}

function nameOf(owner: string): unknown {
  return manifestOf(owner)["name"];
}

/** A type may also come from a package that only the build needs, or that the application brings. */
function allowedBy(manifest: Record<string, unknown>, typeOnly: boolean): Set<string> {
  const kinds = ["dependencies", "peerDependencies", ...(typeOnly ? ["devDependencies"] : [])];
  return new Set(kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {})));
}

function show({ path, target }: Import & { path: string }): string {
  return `${path} imports ${target}`;
}

/** Places where a global is used as a value. Properties and types of the same name do not count. */
function globalsIn(path: string, forbidden: (name: string) => boolean): string[] {
  const found: string[] = [];
  visit(path, (node, at, source) => {
    if (ts.isPropertyAccessExpression(node) && forbidden(node.getText(source))) {
      found.push(`${at()} ${node.getText(source)}`);
    }
    if (!ts.isIdentifier(node) || !forbidden(node.text)) return;
    const { parent } = node;
    // A date made of an instant is arithmetic; made of nothing it is a clock.
    if (node.text === "Date" && ts.isNewExpression(parent) && parent.arguments?.length) return;
    const isName =
      (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
      ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isTypeReferenceNode(parent) ||
      ts.isTypeQueryNode(parent);
    if (!isName) found.push(`${at()} ${node.text}`);
  });
  return found;
}
