import { globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readSettings } from "../../server/src/shell/env.js";
import { readText, root } from "../repository/sources.js";
import { faultsOf } from "./manifest.js";

type Labels = Readonly<Record<string, string>>;
interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly securityContext: object;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Pod {
  readonly metadata: { readonly labels: Labels };
  readonly spec: { readonly terminationGracePeriodSeconds?: number; readonly containers: readonly Container[] };
}

const FOLDER = "infra/kubernetes";
const names = globSync("*.yaml", { cwd: join(root, FOLDER) }).sort();
const read = <Manifest>(name: string) => parse(readText(`${FOLDER}/${name}.yaml`)) as Manifest;

const deployment = read<{ spec: { replicas: number; selector: { matchLabels: Labels }; template: Pod } }>("deployment");
const job = read<{ spec: { template: Pod } }>("migrate-job");
const secret = read<{ stringData: Labels }>("secret.example");
const [orchestrator] = deployment.spec.template.spec.containers;
const [migration] = job.spec.template.spec.containers;
if (!orchestrator || !migration) throw new Error("a pod has no container");

describe("infra/kubernetes", () => {
  it.each(names)("%s is what Kubernetes takes", (name) => {
    expect(faultsOf(parse(readText(`${FOLDER}/${name}`)))).toEqual([]);
  });

  it("is held against schemas that can tell", () => {
    const faulty = (change: object) => faultsOf({ ...parse(readText(`${FOLDER}/service.yaml`)), ...change });
    expect(faulty({ spec: { ports: [{ port: "eighty" }] } })).not.toEqual([]);
    expect(faulty({ spec: { ports: [{ port: 80, tragetPort: 9850 }] } })).toEqual([
      "/spec/ports/0/tragetPort is unknown",
    ]);
    expect(faulty({ specs: {} })).toEqual(["/specs is unknown"]);
    expect(faulty({ kind: "Servise" })).not.toEqual([]);
  });

  it("runs the image's commands with settings that the orchestrator knows", () => {
    expect([orchestrator.args, migration.args]).toEqual([["start"], ["migrate"]]);
    expect(orchestrator.image).toBe(migration.image);
    const plain = orchestrator.env.map(({ name, value }) => [name, value] as const);
    const given = { ...secret.stringData, AIKI_SECRET: undefined, AIKI_ADMIN_KEY: undefined };
    expect(() => readSettings({ ...given, ...Object.fromEntries(plain) })).not.toThrow();
    expect(() => readSettings({ AIKI_SECRT: "" })).toThrow("AIKI_SECRET");
  });

  it("keeps secrets out of the manifests", () => {
    expect(secret.stringData).toMatchObject({ AIKI_SECRET: "", AIKI_ADMIN_KEY: "" });
  });

  it("asks the right thing of each probe", () => {
    const { startupProbe, readinessProbe, livenessProbe, ports } = orchestrator;
    // A restart does not bring a database back, so only readiness depends on it.
    const paths = [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet.path);
    expect(paths).toEqual(["/health", "/ready", "/health"]);
    expect(ports).toEqual([{ name: "http", containerPort: 9850 }]);
  });

  it("lets a replica that stops bring its pushes and its requests to their end", () => {
    const stopGraceMs = Number(orchestrator.env.find(({ name }) => name === "AIKI_STOP_GRACE_MS")?.value);
    const preStop = orchestrator.lifecycle?.preStop.sleep.seconds ?? 0;
    const grace = deployment.spec.template.spec.terminationGracePeriodSeconds ?? 30;
    expect(grace).toBeGreaterThan(preStop + (2 * stopGraceMs) / 1_000 + 5);
  });

  it("selects the orchestrator's pods, and not those of the migration", () => {
    const { matchLabels } = deployment.spec.selector;
    const matches = (selector: Labels, labels: Labels) =>
      Object.entries(selector).every(([key, value]) => labels[key] === value);
    const service = read<{ spec: { selector: Labels } }>("service").spec.selector;
    const budget = read<{ spec: { selector: { matchLabels: Labels } } }>("disruption-budget").spec.selector.matchLabels;
    for (const selector of [matchLabels, service, budget]) {
      expect(matches(selector, deployment.spec.template.metadata.labels)).toBe(true);
      expect(matches(selector, job.spec.template.metadata.labels)).toBe(false);
    }
    expect(deployment.spec.replicas).toBeGreaterThan(1);
  });

  it("runs as nobody who can change anything", () => {
    for (const { securityContext } of [orchestrator, migration]) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });
});
