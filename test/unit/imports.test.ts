import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = new URL("../../src", import.meta.url).pathname;

// CONTRIBUTING.md, section 2: which rooms a room may import, and which packages it wraps.
const ADAPTER = ["certificate", "ports", "reconcile"];
const ROOMS: Record<string, { readonly rooms: readonly string[]; readonly packages?: readonly string[] }> = {
  certificate: { rooms: [] },
  ports: { rooms: ["certificate"] },
  settings: { rooms: ["certificate", "ports"], packages: ["dotenv"] },
  reconcile: { rooms: ["certificate", "ports"] },
  acme: { rooms: ADAPTER, packages: ["acme-client"] },
  challenge: { rooms: ADAPTER },
  target: { rooms: ADAPTER, packages: ["dockerode"] },
  notify: { rooms: ADAPTER },
  store: { rooms: ADAPTER },
  lock: { rooms: ADAPTER },
  control: { rooms: ADAPTER },
  system: { rooms: ADAPTER, packages: ["node-cron", "pino", "pino-pretty"] },
  commands: { rooms: [...ADAPTER, "settings"] },
};
// The bundle of the thin client must not have the rest of the house in it: it takes files of which each is small.
const ENTRANCES: Record<string, readonly string[]> = {
  "main.ts": ["app/index.ts", "cli.ts"],
  "cli.ts": ["app/paths.ts", "control/index.ts", "lock/index.ts"],
};
// What computes, and touches nothing outside the process.
const PURE_BUILTINS = ["node:crypto", "node:net", "node:url", "node:util"];

type Import = { readonly file: string; readonly room: string; readonly from: string; readonly isType: boolean };

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
const textOf = (file: string) => readFileSync(join(SRC, file), "utf8");
const roomOf = (path: string) => (path.includes("/") ? (path.split("/")[0] ?? "") : "");

const imports: Import[] = files.flatMap((file) =>
  [
    ...textOf(file).matchAll(/^(import type|import|export type|export)\b[^;]*?from "([^"]+)";|\bimport\("([^"]+)"\)/gm),
  ].map(([, kind = "", from, lazily = ""]) => ({
    file,
    room: roomOf(file),
    from: from ?? lazily,
    isType: kind.endsWith("type"),
  })),
);

const isOurs = ({ from }: Import) => from.startsWith(".");
const targetOf = ({ file, from }: Import) => normalize(join(dirname(file), from));
const said = ({ file, from }: Import) => `${file} imports ${from}`;

function packageOf(from: string): string {
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The circles among files: each as the files in it, by name. */
function circles(): string[][] {
  const next = new Map(
    files.map((file) => [file, imports.filter((one) => one.file === file && isOurs(one)).map(targetOf)]),
  );
  const reached = (start: string) => {
    const seen = new Set<string>();
    const todo = [...(next.get(start) ?? [])];
    for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
      if (!seen.has(file)) todo.push(...(next.get(file) ?? []));
      seen.add(file);
    }
    return seen;
  };
  const reach = new Map(files.map((file) => [file, reached(file)]));
  const inCircle = files.filter((file) => reach.get(file)?.has(file));
  const groups = Map.groupBy(inCircle, (file) =>
    inCircle
      .filter((other) => reach.get(file)?.has(other))
      .sort()
      .join(),
  );
  return [...groups.values()];
}

describe("who may import whom", () => {
  test("every room is in the table, and nothing is outside of rooms but the entrances", () => {
    const rooms = new Set(files.map(roomOf));
    expect(rooms).toEqual(new Set(["", "app", ...Object.keys(ROOMS)]));
    expect(files.filter((file) => roomOf(file) === "")).toEqual(expect.arrayContaining(Object.keys(ENTRANCES)));
    expect(files.filter((file) => roomOf(file) === "")).toHaveLength(Object.keys(ENTRANCES).length);
    expect(imports.length).toBeGreaterThan(300);
  });

  test("a room imports only those it may, through their door", () => {
    const forbidden = imports.filter((one) => {
      if (!isOurs(one) || one.room === "") return false;
      const target = targetOf(one);
      const room = roomOf(target);
      if (room === one.room) return false;
      // The client's types, which the process it loads answers with.
      if (one.room === "app") return target !== `${room}/index.ts` && !(target === "cli.ts" && one.isType);
      return !(ROOMS[one.room]?.rooms.includes(room) && target === `${room}/index.ts`);
    });
    expect(forbidden.map(said)).toEqual([]);
  });

  test("the entrances import what is theirs", () => {
    const forbidden = imports.filter(
      (one) => one.room === "" && isOurs(one) && !ENTRANCES[one.file]?.includes(targetOf(one)),
    );
    expect(forbidden.map(said)).toEqual([]);
  });

  test("a room imports only the packages that it wraps, and Node's own modules by their full name", () => {
    const foreign = imports.filter((one) => !isOurs(one) && !one.from.startsWith("node:"));
    expect(foreign.filter(({ room, from }) => !ROOMS[room]?.packages?.includes(packageOf(from))).map(said)).toEqual([]);
    expect(imports.filter(({ from }) => builtinModules.includes(from)).map(said)).toEqual([]);
  });

  test("certificate does no I/O", () => {
    const builtins = imports.filter(({ room, from }) => room === "certificate" && from.startsWith("node:"));
    expect(builtins.filter(({ from }) => !PURE_BUILTINS.includes(from)).map(said)).toEqual([]);
    expect(builtins.length).toBeGreaterThan(0);
  });

  test("no two files import each other, by whatever way around", () => {
    expect(circles()).toEqual([]);
  });

  test("only the entrances read the command line and the environment, or end the process", () => {
    const readers = files.filter((file) => {
      const code = textOf(file).replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, "");
      return roomOf(file) !== "" && /process\.(env|argv|exit)\b/.test(code);
    });
    expect(readers).toEqual([]);
  });

  test("no room exports a default or re-exports everything", () => {
    expect(files.filter((file) => /^export (default|\*)/m.test(textOf(file)))).toEqual([]);
  });
});
