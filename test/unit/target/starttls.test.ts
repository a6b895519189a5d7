import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createSecureContext, createServer as createTlsServer, TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/system/index.ts";
import { inspectedContainer } from "../../support/fake-engine.ts";
import { readContainer } from "../../../src/target/docker/container.ts";
import { readPort } from "../../../src/target/labels.ts";
import type { Place, TlsQuestion } from "../../../src/target/kind.ts";
import type { StartTls } from "../../../src/target/tls/starttls.ts";
import { createTlsCheck } from "../../../src/target/tls/tls-check.ts";
import { aVersion } from "../../support/a-version.ts";
import { poll } from "../../support/poll.ts";
import { makeTestCertificate } from "../../support/test-ca.ts";

const NEVER = new AbortController().signal;
const PAIR = await makeTestCertificate(["DNS:a.test"]);
const VERSION = aVersion(PAIR);
const WORDS = { nothingListens: "", noCertificate: "Look.", isDefault: "", explain: () => undefined };

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
});

/** A server that greets, then answers each thing it hears in pieces, in turn; after the last one it goes over to TLS. */
async function listen(greeting: string, ...answers: readonly (readonly string[])[]) {
  const heard: string[] = [];
  server = createServer((socket) => {
    sockets.add(
      socket
        .setNoDelay()
        .on("close", () => sockets.delete(socket))
        .on("error", () => {}),
    );
    const left = [...answers];
    socket.write(greeting);
    socket.on("data", (chunk) => {
      heard.push(chunk.toString("latin1"));
      const [pieces = [], ...more] = left.splice(0);
      left.push(...more);
      void say(socket, pieces).then(() => more.length === 0 && goOver(socket));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, heard };
}

async function say(socket: Socket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, () => setImmediate(resolve)));
}

function goOver(socket: Socket): void {
  socket.removeAllListeners("data");
  const secureContext = createSecureContext({ cert: PAIR.certificatePem, key: PAIR.keyPem });
  new TLSSocket(socket, { isServer: true, secureContext }).on("error", () => {});
}

type Check = Pick<TlsQuestion, "listenersOf"> & { readonly signal?: AbortSignal };

function check(port: number, startTls: StartTls, { signal = NEVER, ...more }: Check = {}) {
  const tlsCheck = createTlsCheck({ clock: systemClock, random: () => 0.5, handshakeMs: 60_000 });
  const container = readContainer(inspectedContainer({ id: "a" }));
  const base = { name: "mail-1", service: "mail", container, wants: () => true };
  const place: Place = { ...base, address: "127.0.0.1", port, startTls };
  return tlsCheck({ place, certificate: VERSION, words: WORDS, ...more }, signal);
}

const EHLO = ["250-mail.test\r\n", "250-PIPELINING\r\n250-START", "TLS\r\n250 8BITMIME\r\n"];

describe("a server that goes over to TLS", () => {
  test.each<[StartTls, string, readonly (readonly string[])[], readonly string[]]>([
    [
      "smtp",
      "220-mail.test\r\n220 ESMTP\r\n",
      [EHLO, ["220 2.0.0 go", " on\r\n"]],
      ["EHLO cert-sidecar.invalid\r\n", "STARTTLS\r\n"],
    ],
    [
      "smtp",
      "220\r\n",
      [["250-\r\n250-STARTTLS\r\n", "250\r\n"], ["220\r\n"]],
      ["EHLO cert-sidecar.invalid\r\n", "STARTTLS\r\n"],
    ],
    [
      "smtp",
      "220 mail.test\r\n",
      [["250-m\r\n250 starttls\r\n"], ["220 go on\r\n"]],
      ["EHLO cert-sidecar.invalid\r\n", "STARTTLS\r\n"],
    ],
    ["imap", "* OK [CAPABILITY IMAP4rev1] ready\r\n", [["* CAPABILITY x\r\n", "a OK begin\r\n"]], ["a STARTTLS\r\n"]],
    ["postgres", "", [["S"]], ["\0\0\0\b\u0004Ò\u0016/"]],
  ])("as %s does is checked there (%j)", async (protocol, greeting, answers, said) => {
    const { port, heard } = await listen(greeting, ...answers);
    expect(await check(port, protocol)).toEqual({ kind: "served" });
    expect(heard).toEqual(said);
  });

  test.each<[string, StartTls, string, readonly (readonly string[])[], RegExp]>([
    [
      "offers none",
      "smtp",
      "220 m\r\n",
      [["250-m\r\n250 SIZE\r\n"]],
      /does not go over to TLS as smtp does: 250-m 250 SIZE$/,
    ],
    ["is busy", "smtp", "421 4.7.0 too busy\r\n", [], /does: 421 4\.7\.0 too busy$/],
    ["refuses it", "smtp", "220 m\r\n", [EHLO, ["454 TLS not available\r\n"]], /does: 454 TLS not available$/],
    ["refuses it", "imap", "* OK m\r\n", [["a BAD no \u001b[2J\r\n"]], /as imap does: a BAD no �\[2J$/],
    ["has none", "postgres", "", [["N"]], /as postgres does: N$/],
    ["is another one", "imap", "HTTP/1.1 400 Bad Request\r\n", [], /as imap does: HTTP\/1\.1 400/],
    ["never ends", "smtp", "220-m\r\n".repeat(4000), [], /does not come to an end: 220-m/],
  ])("that %s (%s) is told in its own words", async (...row) => {
    const [, protocol, greeting, answers, message] = row;
    const { port } = await listen(greeting, ...answers);
    expect(await check(port, protocol)).toMatchObject({ kind: "not-served", message: expect.stringMatching(message) });
    await poll("no connection is left", () => sockets.size === 0);
  });

  test("behind a load balancer is checked there after a PROXY header, and its other ports by TLS from the first byte", async () => {
    const { port, heard } = await listen("", ["220 mail.test\r\n"], EHLO, ["220 go on\r\n"]);
    const other = createTlsServer({ cert: PAIR.certificatePem, key: PAIR.keyPem }).listen(0, "127.0.0.1");
    try {
      await once(other, "listening");
      const address = "127.0.0.1";
      const listenersOf = () => [
        { address, port, isProxied: true },
        { address, port: (other.address() as AddressInfo).port, isProxied: false },
      ];
      expect(await check(port, "smtp", { listenersOf })).toEqual({ kind: "served" });
      const header = expect.stringMatching(RegExp(`^PROXY TCP4 ${address} ${address} \\d+ ${port}\r\n$`));
      expect(heard).toEqual([header, "EHLO cert-sidecar.invalid\r\n", "STARTTLS\r\n"]);
    } finally {
      other.close();
    }
  });

  test("and says it letter by letter leaves nothing behind that waits", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error) => void warnings.push(warning);
    process.on("warning", hear);
    try {
      const slowly = EHLO.join("").split("");
      const { port } = await listen("220 m\r\n", slowly, ["220 go on\r\n"]);
      expect(await check(port, "smtp")).toEqual({ kind: "served" });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
    } finally {
      process.off("warning", hear);
    }
  });

  test("that hangs up is told", async () => {
    server = createServer((socket) => void socket.end("220-m\r\n")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const finding = await check((server.address() as AddressInfo).port, "smtp");
    expect(finding).toMatchObject({ message: expect.stringMatching(/it hung up: 220-m$/) });
  });

  test("that is silent is left when we stop", async () => {
    const { port } = await listen("");
    const stop = new AbortController();
    const finding = check(port, "imap", { signal: stop.signal });
    await poll("it is connected", () => sockets.size === 1);
    stop.abort(new Error("stopping"));
    await expect(finding).rejects.toThrow("stopping");
    await poll("no connection is left", () => sockets.size === 0);
  });
});

describe("the label cert-sidecar.port", () => {
  const portOf = (value: string) => readPort("mail-1", { "cert-sidecar.port": value });

  test("names a port, and the protocol before TLS", () => {
    expect(portOf(" 993 ")).toEqual({ port: 993, startTls: undefined });
    expect(portOf("25/smtp")).toEqual({ port: 25, startTls: "smtp" });
    expect(portOf("143/imap")).toEqual({ port: 143, startTls: "imap" });
    expect(portOf("5432/postgres")).toEqual({ port: 5432, startTls: "postgres" });
  });

  test.each(["", "0", "25/", "25/ldap", "25/smtp/x", "smtp/25", "/smtp", "25 /smtp", "25/SMTP"])(
    "%j is a mistake",
    (value) => {
      expect(() => portOf(value)).toThrow(
        /which is not a port from 1 to 65535, with \/smtp, \/imap, \/postgres behind it/,
      );
    },
  );
});
