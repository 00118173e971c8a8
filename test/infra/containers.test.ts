import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { workspaces } from "../../scripts/workspaces.js";
import { readText } from "../repository/sources.js";

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
}

const dockerfile = readText("infra/Dockerfile");
const compose = parse(readText("docker-compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

describe("infra/Dockerfile", () => {
  it("has no fault that the linter of Docker's editor support finds", () => {
    expect(validate(dockerfile)).toEqual([]);
    // The linter can tell.
    expect(validate("FROM node\nCOPPY a b\n")).not.toEqual([]);
  });

  it("ends as an ordinary user, on a port that it names, from pinned majors", () => {
    expect(dockerfile).toMatch(/^USER (?!root)\w+$/m);
    expect(dockerfile).toMatch(/^EXPOSE 9850$/m);
    for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) expect(image).toMatch(/:\d/);
  });

  it("installs packages that `npm run pack` makes", () => {
    const installed = [...dockerfile.matchAll(/\/packed\/(\S+)-\*\.tgz/g)].map(([, name]) => name);
    const names = workspaces().map(({ manifest }) => manifest.name.slice(1).replace("/", "-"));
    expect(installed).toContain("aikirun-cli");
    expect(installed.filter((name) => !names.includes(name ?? ""))).toEqual([]);
  });
});

describe("docker-compose.yml", () => {
  it("migrates once its Postgres answers, and then runs the orchestrator", () => {
    const { server, migrate, postgres } = compose.services;
    expect(postgres?.healthcheck?.test.join(" ")).toContain("pg_isready");
    expect(migrate?.depends_on).toEqual({ postgres: { condition: "service_healthy" } });
    expect(migrate?.command).toEqual(["migrate"]);
    expect(server?.depends_on).toEqual({ migrate: { condition: "service_completed_successfully" } });
    expect(server?.command).toEqual(["start"]);
    for (const service of [server, migrate]) {
      expect(service?.build).toEqual({ context: ".", dockerfile: "infra/Dockerfile" });
      expect(service?.environment?.["DATABASE_URL"]).toContain("@postgres:5432/");
    }
  });

  it("has no secret of its own: whoever starts it must give them", () => {
    for (const name of ["AIKI_SECRET", "AIKI_ADMIN_KEY"]) {
      expect(compose.services["server"]?.environment?.[name]).toMatch(new RegExp(`^\\$\\{${name}:\\?`));
    }
  });

  it("declares the volumes that its services mount", () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes.map((v) => v.split(":")[0]));
    expect(mounted).toEqual(Object.keys(compose.volumes));
  });
});
