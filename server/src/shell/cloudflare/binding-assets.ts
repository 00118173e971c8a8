/** The dashboard's files from where the platform keeps them beside the Worker. */
import type { Assets } from "../../api/pages.js";

/** Any origin: the binding looks at the path alone. */
const ORIGIN = "https://assets.internal";

export function bindingAssets(binding: Fetcher): Assets {
  return {
    async get(path, acceptEncoding) {
      const headers = { "accept-encoding": acceptEncoding };
      const { status, headers: stated, body } = await binding.fetch(ORIGIN + path, { headers, redirect: "manual" });
      if (status !== 200 || !body) {
        await body?.cancel();
        return undefined;
      }
      return {
        body,
        contentType: stated.get("content-type") ?? "application/octet-stream",
        etag: stated.get("etag") ?? undefined,
      };
    },
  };
}
