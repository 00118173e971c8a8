/** Endpoints, and which of them serves a version. */
import type { Manifest } from "@aikirun/protocol";
import { and, asc, eq, ne, or, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { Registry, SaveEndpointOutcome, StoredEndpoint } from "../port.js";
import type { Connection } from "./connection.js";
import { makeNamespace } from "./keys.js";
import { fromText, toText } from "./rows.js";
import { endpoint, namespace, servedVersion } from "./schema.js";

type EndpointRow = typeof endpoint.$inferSelect;

export function registry(connection: Connection, db: NodePgDatabase): Registry {
  const ask: Connection["ask"] = (query) => connection.ask(query);
  return {
    saveEndpoint: (one, takeOver) => save(connection, one, takeOver),

    async markEndpoint(ns, id, status, trouble) {
      const mine = and(eq(endpoint.ns, ns), eq(endpoint.id, id));
      await ask(() =>
        db
          .update(endpoint)
          .set({ status, trouble: toText(trouble) })
          .where(mine),
      );
    },

    async listEndpoints(ns) {
      const all = ns === undefined ? undefined : eq(endpoint.ns, ns);
      const owned = ns === undefined ? undefined : eq(servedVersion.ns, ns);
      const [rows, owners] = await ask(() =>
        Promise.all([
          db.select().from(endpoint).where(all).orderBy(asc(endpoint.ns), asc(endpoint.createdAt), asc(endpoint.id)),
          db.select().from(servedVersion).where(owned).orderBy(asc(servedVersion.workflow), asc(servedVersion.version)),
        ]),
      );
      return rows.map((row) => ({
        ...toEndpoint(row),
        owns: owners
          .filter((owner) => owner.ns === row.ns && owner.endpointId === row.id)
          .map(({ workflow, version }) => ({ workflow, version })),
      }));
    },

    async removeEndpoint(ns, id) {
      const mine = and(eq(endpoint.ns, ns), eq(endpoint.id, id));
      const gone = await ask(() => db.delete(endpoint).where(mine).returning({ id: endpoint.id }));
      return gone.length > 0;
    },
  };
}

/** Registrations of one namespace go one after another: each locks its row. */
async function save(connection: Connection, one: StoredEndpoint, takeOver: boolean): Promise<SaveEndpointOutcome> {
  return connection.transaction(async (tx) => {
    await makeNamespace(tx, one.ns, one.createdAt);
    await tx.select().from(namespace).where(eq(namespace.name, one.ns)).for("update");
    const serves = one.manifest.workflows.map(({ name, version }) => ({ workflow: name, version }));
    const servesSame = or(
      ...serves.map((s) => and(eq(servedVersion.workflow, s.workflow), eq(servedVersion.version, s.version))),
    );
    const byOthers = and(
      eq(servedVersion.ns, one.ns),
      servesSame,
      ne(endpoint.id, one.id),
      ne(endpoint.name, one.name),
    );
    if (serves.length > 0 && !takeOver) {
      const [owner] = await tx
        .select({
          by: endpoint.name,
          url: endpoint.url,
          workflow: servedVersion.workflow,
          version: servedVersion.version,
        })
        .from(servedVersion)
        .innerJoin(endpoint, and(eq(endpoint.ns, servedVersion.ns), eq(endpoint.id, servedVersion.endpointId)))
        .where(byOthers)
        .orderBy(asc(servedVersion.workflow), asc(servedVersion.version))
        .limit(1);
      if (owner) return { type: "version_owned", ...owner };
    }
    // Versions that are no longer listed go with the row; the foreign key takes them along.
    await tx
      .delete(endpoint)
      .where(and(eq(endpoint.ns, one.ns), or(eq(endpoint.id, one.id), eq(endpoint.name, one.name))));
    await tx.insert(endpoint).values(toRow(one));
    if (serves.length > 0) {
      await tx
        .insert(servedVersion)
        .values(serves.map((s) => ({ ...s, ns: one.ns, endpointId: one.id })))
        .onConflictDoUpdate({
          target: [servedVersion.ns, servedVersion.workflow, servedVersion.version],
          set: { endpointId: sql`excluded.endpoint_id` },
        });
    }
    return { type: "saved" };
  });
}

function toRow(one: StoredEndpoint): typeof endpoint.$inferInsert {
  return {
    ...one,
    headerNames: [...one.headerNames],
    sealedHeaders: one.sealedHeaders ?? null,
    manifest: JSON.stringify(one.manifest),
    maxDurationMs: one.maxDurationMs ?? null,
    trouble: toText(one.trouble),
  };
}

function toEndpoint(row: EndpointRow): StoredEndpoint {
  return {
    ...row,
    sealedHeaders: row.sealedHeaders ?? undefined,
    manifest: JSON.parse(row.manifest) as Manifest,
    maxDurationMs: row.maxDurationMs ?? undefined,
    trouble: fromText<NonNullable<StoredEndpoint["trouble"]>>(row.trouble),
  };
}
