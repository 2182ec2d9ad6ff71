import node from "@astrojs/node";
import { defineConfig } from "astro/config";

const mode = process.env.BEHIND_EXPRESS ? "middleware" : "standalone";
export default defineConfig({ output: "server", outDir: mode, adapter: node({ mode }), session: false });
