import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `npm run dashboard` serves the page with hot reloading beside an orchestrator at 9850. */
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../dist/dashboard",
    emptyOutDir: true,
    // A data: URL is no source of ours for the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_000,
  },
  server: { port: 9852, proxy: { "/v1": "http://localhost:9850" } },
});
