// Makes dist/: the thin client (cli.js) and everything else (main.js), each one file without dependencies.
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { VERBS } from "../src/commands/index.ts";

rmSync("dist", { recursive: true, force: true });
const { version } = JSON.parse(readFileSync("package.json", "utf8"));

/** Parts of libraries that we never use and that cost most of their start time and memory. */
const unused = {
  name: "unused",
  setup(builder) {
    const empty = (filter, contents = "module.exports = {}") => {
      const namespace = `unused:${filter}`;
      builder.onResolve({ filter }, ({ path }) => ({ path, namespace }));
      builder.onLoad({ filter: /.*/, namespace }, () => ({ contents, loader: "js" }));
    };
    empty(/\.node$|^cpu-features$/);
    // dockerode: image builds over gRPC, and engines behind SSH.
    empty(/^\.\/(buildkit|session)$/, "module.exports = function unused() {}");
    empty(/^ssh2$/);
    // acme-client: its own HTTP client (we bring ours), and what it makes certificate requests with (so do we).
    empty(/^\.\/axios$|^asn1js$/);
    empty(/^@peculiar\/x509$/, "exports.cryptoProvider = { set() {} }");
  },
};

const common = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minify: true,
  // Error names are part of what operators read.
  keepNames: true,
  legalComments: "none",
  define: {
    "process.env.CERT_SIDECAR_VERSION": JSON.stringify(version),
    "process.env.CERT_SIDECAR_VERBS": JSON.stringify(
      JSON.stringify(VERBS.map(({ name, isReadOnly, isDaemons }) => ({ name, isReadOnly, isDaemons }))),
    ),
  },
  logLevel: "warning",
};

// The libraries are CommonJS: inside an ES module they need a `require` for Node's own modules.
const banner = { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` };

await build({ ...common, entryPoints: ["src/cli.ts"], outfile: "dist/cli.js" });
await build({ ...common, entryPoints: ["src/main.ts"], outfile: "dist/main.js", plugins: [unused], banner });
// The image makes their links of it.
writeFileSync("dist/verbs", VERBS.map(({ name }) => `${name}\n`).join(""));
writeFileSync("dist/package.json", `${JSON.stringify({ name: "cert-sidecar", version, type: "module" })}\n`);
chmodSync("dist/cli.js", 0o755);
