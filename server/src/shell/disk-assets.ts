/** The built dashboard from disk: read once, compressed once, kept in memory. */
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { sha256Hex } from "@aikirun/protocol/canonical";
import type { Asset, Assets } from "../api/pages.js";

/** Where `npm run build` puts it, and where it lies in the package. */
const FOLDER = fileURLToPath(new URL("../../dist/dashboard/", import.meta.url));
const ETAG_CHARS = 32;
const WORTH_COMPRESSING = 1_024;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};
const TEXT = new Set([".html", ".js", ".css", ".json", ".map", ".webmanifest", ".svg", ".txt"]);

interface Kept {
  readonly plain: Asset;
  readonly gzipped: Asset | undefined;
}

/** Undefined: it has not been built. */
export async function diskAssets(folder = FOLDER): Promise<Assets | undefined> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, Kept>();
  await Promise.all(
    names
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        files.set(`/${relative(folder, path).split(sep).join("/")}`, await read(path));
      }),
  );
  if (!files.has("/index.html")) return undefined;
  return {
    async get(path, acceptEncoding) {
      const kept = files.get(path);
      return kept?.gzipped && /\bgzip\b/.test(acceptEncoding) ? kept.gzipped : kept?.plain;
    },
  };
}

async function read(path: string): Promise<Kept> {
  const body = await readFile(path);
  const extension = extname(path);
  const etag = `"${sha256Hex(body.toString("base64")).slice(0, ETAG_CHARS)}"`;
  const contentType = TYPES[extension] ?? "application/octet-stream";
  const plain = { body: new Uint8Array(body), contentType, etag };
  if (!TEXT.has(extension) || body.byteLength < WORTH_COMPRESSING) return { plain, gzipped: undefined };
  const gzipped = new Uint8Array(await promisify(gzip)(body, { level: 9 }));
  return { plain, gzipped: { body: gzipped, contentType, etag: `W/${etag}`, contentEncoding: "gzip" } };
}
