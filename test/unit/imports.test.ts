import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = new URL("../../src", import.meta.url).pathname;

// HOUSE_STYLE section 2, as a table: which folders of ours a folder may import, and which packages it wraps.
const ADAPTER = ["certificate", "ports", "reconcile"];
const ALLOWED: Record<string, { readonly folders: readonly string[]; readonly packages: readonly string[] }> = {
  certificate: { folders: [], packages: [] },
  ports: { folders: ["certificate"], packages: [] },
  reconcile: { folders: ["certificate", "ports"], packages: [] },
  settings: { folders: ["certificate"], packages: ["dotenv"] },
  commands: { folders: ADAPTER, packages: [] },
  acme: { folders: ADAPTER, packages: ["acme-client"] },
  challenge: { folders: ADAPTER, packages: [] },
  store: { folders: ADAPTER, packages: [] },
  target: { folders: ADAPTER, packages: ["dockerode"] },
  control: { folders: ADAPTER, packages: [] },
  lock: { folders: ADAPTER, packages: [] },
  system: { folders: ADAPTER, packages: ["node-cron", "pino", "pino-pretty"] },
};

type Import = { readonly file: string; readonly folder: string; readonly from: string };

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), "utf8");
  const found = text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*["']([^"']+)["']/gm);
  const folder = file.includes("/") ? (file.split("/")[0] ?? "") : "";
  return [...found].map((match) => ({ file, folder, from: match[1] ?? "" }));
});

function targetOf({ file, from }: Import): string {
  return normalize(join(dirname(file), from));
}

function packageOf(from: string): string {
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}

describe("the import directions of the house style", () => {
  test("every folder below src is in the table", () => {
    const folders = new Set(files.filter((file) => file.includes("/")).map((file) => file.split("/")[0]));
    expect(folders).toEqual(new Set(Object.keys(ALLOWED)));
    expect(imports.length).toBeGreaterThan(100);
  });

  test("a folder imports only the folders it may, through their index", () => {
    const forbidden = imports.filter((one) => {
      if (!one.from.startsWith(".") || one.folder === "") return false;
      const target = targetOf(one);
      const [folder] = target.split("/");
      if (folder === one.folder) return false;
      return !(ALLOWED[one.folder]?.folders.includes(folder ?? "") && target === `${folder}/index.ts`);
    });
    expect(forbidden).toEqual([]);
  });

  test("a folder imports only the packages that it wraps", () => {
    const forbidden = imports.filter((one) => {
      if (one.from.startsWith(".") || one.from.startsWith("node:") || one.folder === "") return false;
      return !ALLOWED[one.folder]?.packages.includes(packageOf(one.from));
    });
    expect(forbidden).toEqual([]);
    expect(imports.filter(({ from }) => builtinModules.includes(from))).toEqual([]);
  });

  test("main.ts and cli.ts import only through a folder's index", () => {
    const inner = imports.filter((one) => one.folder === "" && one.from.startsWith(".") && targetOf(one).includes("/"));
    expect(inner.filter((one) => !targetOf(one).endsWith("/index.ts") && one.file === "main.ts")).toEqual([]);
  });

  test("only the entry points read the command line and the environment, or end the process", () => {
    const readers = files.filter((file) => {
      const text = readFileSync(join(SRC, file), "utf8");
      return file.includes("/") && /process\.(env|argv|exit)\b/.test(text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, ""));
    });
    expect(readers).toEqual([]);
  });

  test("no folder exports a default or re-exports everything", () => {
    const loose = files.filter((file) => /^export (default|\*)/m.test(readFileSync(join(SRC, file), "utf8")));
    expect(loose.map((file) => relative(SRC, join(SRC, file)))).toEqual([]);
  });
});
