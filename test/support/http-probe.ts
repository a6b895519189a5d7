import { request as httpRequest } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { TLSSocket } from "node:tls";

/** What one request got; `certificate` is the leaf that was presented, PEM, over HTTPS only. */
export type ProbeAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly certificate?: { readonly fingerprint256: string; readonly subject: string; readonly protocol: string };
};

/** `host` is the Host header and, over HTTPS, the SNI name unless it is an address; nothing is trusted or refused. */
export type Probe = { readonly host?: string; readonly headers?: Readonly<Record<string, string>> };

/** Sends one GET to `url` (whose host is an address) on a connection of its own, within 10 s. Throws what node:http throws. */
export async function probe(url: string, { host, headers }: Probe = {}): Promise<ProbeAnswer> {
  const isTls = url.startsWith("https:");
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      agent: false as const,
      headers: { ...headers, ...(host === undefined ? {} : { host }) },
      signal: AbortSignal.timeout(10_000),
      ...(isTls ? { rejectUnauthorized: false, ...serverName(host) } : {}),
    };
    (isTls ? httpsRequest : httpRequest)(url, options, resolve).on("error", reject).end();
  });
  const socket = message.socket;
  const certificate = socket instanceof TLSSocket ? presented(socket) : undefined;
  const body = (await message.setEncoding("utf8").toArray()).join("");
  return { status: message.statusCode ?? 0, headers: message.headers, body, ...(certificate ? { certificate } : {}) };
}

// RFC 6066 §3: an address is never named.
function serverName(host: string | undefined): { readonly servername?: string } {
  return host === undefined || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0 ? {} : { servername: host };
}

/** Asks `url` (plain HTTP) for another protocol; gives what was switched to. Throws when nothing was, within 10 s. */
export async function probeUpgrade(url: string, upgrade: string): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    const headers = { connection: "Upgrade", upgrade };
    httpRequest(url, { agent: false, headers, signal: AbortSignal.timeout(10_000) })
      .on("upgrade", (message, socket) => {
        socket.destroy();
        resolve(message.headers.upgrade ?? "");
      })
      .on("response", (message) => {
        message.resume();
        reject(new Error(`${url} answered ${message.statusCode ?? 0} and did not switch protocols`));
      })
      .on("error", reject)
      .end();
  });
}

function presented(socket: TLSSocket): NonNullable<ProbeAnswer["certificate"]> {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) throw new Error("the server presented no certificate");
  return { fingerprint256: leaf.fingerprint256, subject: leaf.subject, protocol: socket.getProtocol() ?? "" };
}
