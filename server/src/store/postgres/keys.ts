/** API keys, signing keys, the epoch. */
import { and, asc, eq, gt, isNull, or, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { KeyStore, StoredKey, StoredSigningKey } from "../port.js";
import { CLOCK, type Connection } from "./connection.js";
import { apiKey, meta, namespace, signingKey } from "./schema.js";

const now = sql<number>`aiki.now_ms()`;

export function keyStore(connection: Connection, db: NodePgDatabase): KeyStore {
  const ask: Connection["ask"] = (query) => connection.ask(query);
  const signingKeys = async (from: Pick<NodePgDatabase, "select"> = db): Promise<StoredSigningKey[]> =>
    (await from.select().from(signingKey).orderBy(asc(signingKey.createdAt), asc(signingKey.kid))).map(toSigningKey);

  return {
    createKey: (key) =>
      connection.transaction(async (tx) => {
        await makeNamespace(tx, key.ns, key.createdAt);
        await tx.insert(apiKey).values({
          ...key,
          name: key.name ?? null,
          expiresAt: key.expiresAt ?? null,
          revokedAt: key.revokedAt ?? null,
        });
      }),

    async findKey(hash) {
      const [row] = await ask(() => db.select().from(apiKey).where(eq(apiKey.hash, hash)));
      return row && toKey(row);
    },

    async listKeys(ns) {
      const mine = ns === undefined ? undefined : eq(apiKey.ns, ns);
      const rows = await ask(() => db.select().from(apiKey).where(mine).orderBy(asc(apiKey.createdAt), asc(apiKey.id)));
      return rows.map(toKey);
    },

    async revokeKey(ns, id) {
      const mine = and(ns === undefined ? undefined : eq(apiKey.ns, ns), eq(apiKey.id, id), isNull(apiKey.revokedAt));
      const rows = await ask(() => db.update(apiKey).set({ revokedAt: now }).where(mine).returning({ id: apiKey.id }));
      return rows.length > 0;
    },

    async hasKeys() {
      const usable = and(isNull(apiKey.revokedAt), or(isNull(apiKey.expiresAt), gt(apiKey.expiresAt, now)));
      return (await ask(() => db.select({ id: apiKey.id }).from(apiKey).where(usable).limit(1))).length > 0;
    },

    listSigningKeys: () => ask(() => signingKeys()),

    addSigningKey: (key) =>
      connection.transaction(async (tx) => {
        // One process at a time: the second one sees what the first has written.
        await tx.select().from(meta).for("update");
        const stored = await signingKeys(tx);
        if (stored.some(({ state }) => state === key.state)) return stored;
        await tx.insert(signingKey).values({ ...key, publicJwk: JSON.stringify(key.publicJwk) });
        return signingKeys(tx);
      }),

    async setSigningKeyState(kid, state) {
      await ask(() => db.update(signingKey).set({ state }).where(eq(signingKey.kid, kid)));
    },

    async removeSigningKey(kid) {
      await ask(() => db.delete(signingKey).where(eq(signingKey.kid, kid)));
    },

    async epoch() {
      const [row] = await ask(() => db.select({ epoch: meta.epoch }).from(meta));
      return row?.epoch ?? 0;
    },

    async ping() {
      await connection.run(PING, []);
    },
  };
}

const PING = { name: "ping", text: `SELECT ${CLOCK}` };

export async function makeNamespace(
  db: Pick<NodePgDatabase, "insert">,
  name: string,
  createdAt: number,
): Promise<void> {
  await db.insert(namespace).values({ name, createdAt }).onConflictDoNothing();
}

function toKey(row: typeof apiKey.$inferSelect): StoredKey {
  return {
    ...row,
    name: row.name ?? undefined,
    expiresAt: row.expiresAt ?? undefined,
    revokedAt: row.revokedAt ?? undefined,
  };
}

function toSigningKey(row: typeof signingKey.$inferSelect): StoredSigningKey {
  return { ...row, publicJwk: JSON.parse(row.publicJwk) as Record<string, unknown> };
}
