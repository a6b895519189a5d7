import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { OperatorError } from "../../../src/certificate/index.ts";
import type { Log, LogFields } from "../../../src/ports/index.ts";
import { createLog } from "../../../src/system/index.ts";
import type { LogOptions } from "../../../src/system/index.ts";

const now = () => new Date("2026-03-01T04:12:09.345Z");

async function logTo(lines: string[], more: Partial<LogOptions> = {}): Promise<Log> {
  const destination = { write: (line: string) => void lines.push(line) };
  return createLog({ level: "debug", format: "json", destination, now, ...more });
}

async function written(fields: LogFields): Promise<Record<string, unknown>> {
  const lines: string[] = [];
  (await logTo(lines)).info("order.created", fields);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>; // It is what we test.
}

test("a line is one JSON object with its instant first, its level as a word, and the fields in their order", async () => {
  const lines: string[] = [];
  const log = await logTo(lines);
  log.info("lineage.renewed", { lineage: "shop", version: 7, durationMs: 8412 });
  log.error("lineage.failed");
  expect(lines).toEqual([
    '{"ts":"2026-03-01T04:12:09Z","level":"info","event":"lineage.renewed","lineage":"shop","version":7,"durationMs":8412}\n',
    '{"ts":"2026-03-01T04:12:09Z","level":"error","event":"lineage.failed"}\n',
  ]);
});

test("levels below the wanted one are left out", async () => {
  const lines: string[] = [];
  const log = await logTo(lines, { level: "warn" });
  log.debug("order.created");
  log.info("order.created");
  log.warn("order.created");
  log.error("order.created");
  expect(lines).toHaveLength(2);
});

test("instants are in ISO form and an error is its code, its words and its causes' words", async () => {
  class Refused extends OperatorError {
    readonly code = "ACME_REFUSED";
    readonly remedy = "Wait.";
  }
  const cause = new Error("outer", { cause: new Error("inner") });
  const fields = { notBefore: now(), error: new Refused("The CA refused", { cause }), plain: new TypeError("odd") };
  expect(await written(fields)).toMatchObject({
    notBefore: "2026-03-01T04:12:09.345Z",
    error: { code: "ACME_REFUSED", message: "The CA refused", causes: ["outer", "inner"] },
    plain: { name: "TypeError", message: "odd" },
  });
});

test("nothing that moves a terminal or turns its words around is printed, in no format", async () => {
  const hostile = "\u001b]0;x\u0007\u009b2J\u202emoc\u200b\u00ad";
  for (const format of ["json", "pretty"] as const) {
    const lines: string[] = [];
    const log = await logTo(lines, { format });
    log.warn("order.created", {
      reason: hostile,
      list: [hostile],
      error: new Error(hostile, { cause: new Error(hostile) }),
    });
    log.warn("order.created", { [hostile]: 1 });
    expect(lines.join("").replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});

test("private keys and secrets are never printed, wherever they are", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const secret = { toJSON: () => "[redacted]", value: "s3cret" };
  const line = JSON.stringify(
    await written({
      text: `before ${pem} after`,
      cutOff: pem.slice(0, 80),
      nested: { list: [{ note: pem, hmacKey: "s3cret" }] },
      error: new Error(pem, { cause: new Error(pem) }),
      password: "s3cret",
      setting: secret,
    }),
  );
  expect(line).not.toContain(pem.split("\n")[1]);
  expect(line).not.toContain("s3cret");
  expect(line).toContain("before [redacted]\\n after");
});

test("fields that can't be printed don't stop the line", async () => {
  const circular: Record<string, unknown> = { name: "shop" };
  circular["self"] = circular;
  const unreadable = {
    get trap(): never {
      throw new Error("no");
    },
  };
  expect(
    await written({ circular, unreadable, big: 10n, act: () => 1, bytes: Buffer.from("ab"), none: undefined }),
  ).toMatchObject({
    circular: { name: "shop", self: "[circular]" },
    unreadable: "[unreadable]",
    big: "10",
    act: "[function]",
    bytes: "[2 bytes]",
  });
});

test("a field can't pass itself off as the line's own", async () => {
  expect(await written({ level: "debug", event: "other", ts: 0 })).toEqual({
    ts: "2026-03-01T04:12:09Z",
    level: "info",
    event: "order.created",
    level_: "debug",
    event_: "other",
    ts_: 0,
  });
});

test("a destination that throws is nobody's problem", async () => {
  const destination = {
    write() {
      throw new Error("disk full");
    },
  };
  for (const format of ["json", "pretty"] as const) {
    const log = await createLog({ level: "info", format, destination });
    expect(() => log.info("daemon.started")).not.toThrow();
  }
});

test("the pretty format is one line for eyes, in colour only where it is wanted", async () => {
  const lines: string[] = [];
  const fields = { lineage: "shop", durationMs: 8412 };
  (await logTo(lines, { format: "pretty" })).info("lineage.renewed", fields);
  (await logTo(lines, { format: "pretty", color: true })).info("lineage.renewed", fields);
  expect(lines[0]).toBe('[04:12:09] INFO: lineage.renewed {"lineage":"shop","durationMs":8412}\n');
  expect(lines[1]).toContain("\u001b[");
});

test.each(["json", "pretty"])("a reader that has gone doesn't end the process (%s)", async (format) => {
  const script = new URL("../../support/log-writer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, format], { stdio: "pipe" });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child.stdout, "data");
  child.stdout.destroy();
  child.stdin.end();
  const [code] = (await once(child, "close")) as unknown[];
  expect({ code, said }).toEqual({ code: 0, said: "done" });
});
