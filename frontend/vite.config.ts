import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

// In development the api runs beside vite; in production it serves dist/ itself.
const api = process.env.TRAPO_API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [preact({ prefreshEnabled: false, devToolsEnabled: false })],
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, modulePreload: false },
  server: { proxy: { "/api": api } },
});
