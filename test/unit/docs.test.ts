import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LOG_EVENTS } from "../../src/reconcile/index.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => read(join("src", name)));

const listed = (path: string) => [...read(path).matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1] ?? "").sort();

test("docs/errors.md lists exactly the error codes of the source", () => {
  const codes = sources.flatMap((text) =>
    [...text.matchAll(/\bcode(?:: string)?(?: =|:) "([A-Z_]+)"/g)].map((match) => match[1] ?? ""),
  );
  expect(listed("docs/errors.md")).toEqual([...new Set(codes)].sort());
  expect(codes.length).toBeGreaterThan(40);
});

test("docs/events.md lists exactly the events that a log line can carry", () => {
  expect(listed("docs/events.md")).toEqual([...LOG_EVENTS].sort());
});

test("every event is logged somewhere", () => {
  const silent = LOG_EVENTS.filter((event) => {
    const isNamed = sources.filter((text) => text.includes(`"${event}"`)).length > 1;
    const isOutcome = event === "lineage.issued" || event === "lineage.renewed";
    return !isNamed && !isOutcome;
  });
  expect(silent).toEqual([]);
});
