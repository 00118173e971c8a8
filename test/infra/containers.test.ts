import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
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
const compose = parse(readText("docker-compose.yml")) as {
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

  it("copies only what exists", () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].map(([, rest]) => rest?.split(" ")[0]);
    expect(sources).toEqual(["."]);
  });
});

describe("docker-compose.yml", () => {
  it("runs the orchestrator from the Dockerfile, once its Postgres answers", () => {
    const { server, postgres } = compose.services;
    expect(server?.build).toEqual({ context: ".", dockerfile: "infra/Dockerfile" });
    expect(server?.depends_on).toEqual({ postgres: { condition: "service_healthy" } });
    expect(postgres?.healthcheck?.test.join(" ")).toContain("pg_isready");
    expect(server?.environment?.["DATABASE_URL"]).toContain("@postgres:5432/");
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
