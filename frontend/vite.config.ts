import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

// In development the api runs beside vite; in production it serves dist/ itself.
const api = process.env.TRAPO_API ?? "http://127.0.0.1:8000";

// What nearly every page needs is one file: many small ones weigh more, and each is a request.
const COMMON =
  /preact|src\/(router|meanings|routes|format|loaded|labels|actions|polled|theme|store|api\/|components\/(parts|Hint|Confirm|Segments|typed|slow|visible|DataTable)|pictures\/(rows|plain|table|yaml))/;

export default defineConfig({
  plugins: [preact({ prefreshEnabled: false, devToolsEnabled: false })],
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "common", minShareCount: 2, test: COMMON }] } } },
  },
  server: { proxy: { "/api": api } },
});
