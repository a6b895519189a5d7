import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { isKeyOf, readLeaf } from "../../src/certificate/index.ts";

/** What a command meets instead of an answer: other words, half of them, or silence. */
export type Oddity = "hang" | "cut" | { readonly says: string };

/** HAProxy's runtime API in miniature, on a unix socket: it says what HAProxy 2.6 says, and has its traps. */
export type RuntimeServer = {
  /** Each command that it was told, without what belongs to it. */
  readonly commands: string[];
  /** The PEM text of each certificate in memory; empty where it has none yet. */
  readonly store: Map<string, string>;
  /** The lines of its one crt-list: file and number, options and names. */
  readonly entries: { path: string; line: number; rest: string }[];
  /** The one that is open. */
  transaction?: { readonly path: string; readonly pem: string } | undefined;
  /** Decides by the command. */
  odd: (command: string) => Oddity | undefined;
  /** What it renews itself. */
  managed: readonly string[];
};

/** Starts one that knows the crt-list; it ends with the test. */
export async function startRuntimeServer(socketPath: string, crtList: string): Promise<RuntimeServer> {
  const server: RuntimeServer = {
    commands: [],
    store: new Map(),
    entries: [],
    odd: () => undefined,
    managed: [],
  };
  const open = new Set<Socket>();
  const listener = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const isWhole = text.includes("<<\n") ? text.endsWith("\n\n") : text.endsWith("\n");
      if (!isWhole) return;
      const [command = "", payload = ""] = text.trimEnd().split(" <<\n");
      server.commands.push(command);
      const odd = server.odd(command);
      if (odd === "hang") return;
      const said = typeof odd === "object" ? odd.says : answer(server, { crtList, command, payload });
      socket.end(odd === "cut" ? said.slice(0, said.length / 2) : `${said}\n`);
    });
  });
  listener.listen(socketPath);
  await once(listener, "listening");
  onTestFinished(() => {
    open.forEach((socket) => socket.destroy());
    listener.close();
  });
  return server;
}

type Asked = { readonly crtList: string; readonly command: string; readonly payload: string };

function answer(server: RuntimeServer, { crtList, command, payload }: Asked): string {
  const [verb, , kind, ...rest] = command.split(" ");
  const [first = "", second = ""] = rest;
  switch (`${verb} ${kind}`) {
    case "show crt-list":
      if (first === "") return `${crtList}\n`;
      if (second !== crtList) return "didn't find the specified filename\n";
      return [`# ${crtList}`, ...server.entries.map(({ path, line, rest }) => `${path}:${line} ${rest}`), ""].join(
        "\n",
      );
    case "show cert":
      return first === "" ? listStore(server) : showCertificate(first, server.store.get(first));
    case "new cert":
      if (server.store.has(first)) return `Certificate '${first}' already exists!\n`;
      server.store.set(first, "");
      return `New empty certificate store '${first}'!\n`;
    case "set cert":
      return setCertificate(server, first, payload);
    case "commit cert":
      return commit(server, first);
    case "abort cert":
      if (server.transaction?.path !== first) return "No ongoing transaction!\n";
      server.transaction = undefined;
      return `Transaction aborted for certificate '${first}'!\n`;
    case "del cert":
      if (server.entries.some(({ path }) => path === first))
        return `Can't remove the certificate: certificate '${first}' in use, can't be deleted!\n\n`;
      return server.store.delete(first) ? `Certificate '${first}' deleted!\n` : "doesn't exist!\n\n";
    case "add crt-list":
      return addEntry(server, payload);
    case "del crt-list":
      return deleteEntry(server, second);
    default:
      if (command !== "acme status" || server.managed.length === 0) return "Unknown command, but maybe …\n";
      return ["# certificate\tsection\tstate", ...server.managed.map((path) => `${path}\tLE\tScheduled`), ""].join(
        "\n",
      );
  }
}

function listStore({ store, transaction }: RuntimeServer): string {
  const open = transaction ? ["# transaction", `*${transaction.path}`] : [];
  const known = store.size > 0 ? ["# filename", ...store.keys()] : [];
  return [...open, ...known].map((line) => `${line}\n`).join("");
}

function showCertificate(path: string, pem: string | undefined): string {
  if (pem === undefined) return "Can't display the certificate: Not found or the certificate is a bundle!\n";
  if (pem === "") return `Filename: ${path}\nStatus: Empty\n`;
  const { serialNumber, subjectAltName } = new X509Certificate(pem);
  return `Filename: ${path}\nStatus: Used\nSerial: ${serialNumber}\nSubject Alternative Name: ${subjectAltName}\n`;
}

// An open transaction takes what is meant for another file, and only its words say so.
function setCertificate(server: RuntimeServer, path: string, payload: string): string {
  if (!server.store.has(path)) return `Can't replace a certificate which is not referenced by the configuration!\n`;
  try {
    readLeaf(payload);
  } catch {
    return `unable to load certificate from file '${path}'.\nCan't load the payload\nCan't update ${path}!\n`;
  }
  const before = server.transaction;
  server.transaction = { path: before?.path ?? path, pem: payload };
  return `Transaction ${before ? "updated" : "created"} for certificate ${server.transaction.path}!\n`;
}

function commit(server: RuntimeServer, path: string): string {
  const { transaction } = server;
  if (transaction?.path !== path) return `No ongoing transaction! !\nCan't commit ${path}!\n`;
  if (!isKeyOf(transaction.pem, transaction.pem))
    return `inconsistencies between private key and certificate loaded '${path}'.\nCan't commit ${path}!\n`;
  server.store.set(path, transaction.pem);
  server.transaction = undefined;
  return `Committing ${path}\nSuccess!\n`;
}

function addEntry({ store, entries }: RuntimeServer, payload: string): string {
  const [path = "", ...rest] = payload.split(" ");
  if (!store.get(path)) return `Can't edit the crt-list: certificate '${path}' is empty!\n`;
  entries.push({ path, line: Math.max(1, ...entries.map(({ line }) => line)) + 1, rest: rest.join(" ") });
  return `Inserting certificate '${path}' in crt-list 'it'.\nSuccess!\n`;
}

function deleteEntry({ entries }: RuntimeServer, named: string): string {
  const at = entries.findIndex(({ path, line }) => `${path}:${line}` === named);
  if (at === -1) return `Can't delete the entry: certificate '${named}' does not exist!\n`;
  const [entry] = entries.splice(at, 1);
  return `Entry '${entry?.path}' deleted in crtlist 'it'!\n`;
}
