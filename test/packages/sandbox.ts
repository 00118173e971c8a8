import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { type Manifest, root, workspaces } from "../../scripts/workspaces.js";

export interface PackedPackage {
  readonly manifest: Manifest;
  /** Where the tarball was unpacked. */
  readonly folder: string;
  /** Paths inside the tarball. */
  readonly files: readonly string[];
}

export interface Sandbox {
  /** A folder in which an application sees the packed packages, and of third parties only what they declare. */
  readonly folder: string;
  readonly packages: readonly PackedPackage[];
  remove(): void;
}

/**
 * Packs and unpacks the named packages, or all published ones, into `node_modules` of a new folder. Dependencies are links to
 * the repository's own, so nothing is fetched; `without` leaves some out.
 */
export function sandbox(options: { readonly without?: readonly string[] } = {}): Sandbox {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "aiki-packages-")));
  const published = workspaces().filter(({ manifest }) => manifest.private !== true);
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  const names = published.flatMap(({ manifest }) => ["--workspace", manifest.name]);
  const packed = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--loglevel=silent", "--pack-destination", tarballs, ...names], {
      cwd: root,
      encoding: "utf8",
    }),
  ) as PackReport[] | Record<string, PackReport>;

  const packages = Object.values(packed).map((report) => unpack(report, folder, tarballs));
  for (const { manifest, folder: home } of packages) {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      if (!name.startsWith("@aikirun/") && !options.without?.includes(name)) link(name, home);
    }
  }
  return { folder, packages, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

interface PackReport {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

function unpack(report: PackReport, folder: string, tarballs: string): PackedPackage {
  const home = join(folder, "node_modules", report.name);
  mkdirSync(home, { recursive: true });
  const tarball = report.filename.replace("@", "").replace("/", "-");
  execFileSync("tar", ["-xzf", join(tarballs, tarball), "--strip-components=1", "-C", home]);
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as Manifest;
  return { manifest, folder: home, files: report.files.map(({ path }) => path) };
}

function link(name: string, home: string): void {
  const place = join(home, "node_modules", name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(root, "node_modules", name), place, "dir");
}

/** The Node that a user of this machine has: the first on the PATH that is not the toolchain's, if it is new enough. */
export function usersNode(): { readonly path: string; readonly version: string } {
  const places = (process.env["PATH"] ?? "").split(delimiter).filter((place) => !place.includes("node_modules"));
  for (const place of places) {
    try {
      const path = join(place, "node");
      const version = execFileSync(path, ["--version"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
      const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
      if (major > 20 || (major === 20 && minor >= 19)) return { path, version };
    } catch {
      // No Node in this folder.
    }
  }
  return { path: process.execPath, version: process.version };
}

/** Runs a program's text in a folder. Throws with what it wrote to standard error when it fails. */
export function runNode(folder: string, args: readonly string[]): string {
  return execFileSync(usersNode().path, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
