import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectTcp, isIPv6, type Socket } from "node:net";
import { connect, createSecureContext, type PeerCertificate } from "node:tls";
import { leafOf, type Leaf } from "../../certificate/index.ts";
import type { Clock } from "../../ports/index.ts";
import { withDeadline } from "../docker/deadline.ts";
import type { Listener } from "../kind.ts";
import { goOverToTls, type StartTls } from "./starttls.ts";

/** Whom to shake hands with. */
export type HandshakeRequest = Listener & {
  /** The name in SNI (RFC 6066 §3); undefined: none is sent, as for an IP address. */
  readonly serverName: string | undefined;
  /** The protocol that goes over to TLS first; undefined: TLS from the first byte. */
  readonly startTls?: StartTls | undefined;
  /** The only kind of key that the certificate may have; undefined: as the server likes. Nothing is restricted by one not known here. */
  readonly keyKind?: string | undefined;
  readonly clock: Clock;
  /** Time limit in milliseconds. */
  readonly ms: number;
};

/** A certificate that a server presented. */
export type Presented = { readonly leaf: Leaf; readonly isSelfSigned: boolean; readonly subject: string };

/** What a handshake showed; `fingerprint` as in {@link Leaf}. The rest of a certificate is read where somebody asks for it. */
export type Handshake =
  | { readonly kind: "presented"; readonly fingerprint: string; readonly read: () => Presented }
  /** Nobody spoke to us at all: the same for every name. */
  | { readonly kind: "refused" | "timeout" | "unreachable"; readonly words: string }
  /** Somebody did, but showed no certificate: not TLS, or an alert (RFC 8446 §6), which is the server's own verdict. */
  | { readonly kind: "no-certificate"; readonly words: string; readonly isAlert?: true };

/**
 * Makes one TLS handshake and reads the certificate that the server presents. Nothing is trusted and nothing is sent: whether
 * it is the right certificate is seen by its fingerprint. Throws only the signal's reason.
 */
export async function shakeHands(request: HandshakeRequest, signal: AbortSignal): Promise<Handshake> {
  const { clock, ms } = request;
  const expired = () => new Error(`no answer within ${ms / 1000} s`, { cause: TIMED_OUT });
  try {
    return await withDeadline({ clock, signal, ms, expired }, (own) => readPresented(request, own));
  } catch (thrown) {
    signal.throwIfAborted();
    return readFailure(thrown as NodeJS.ErrnoException);
  }
}

const TIMED_OUT = Symbol("timed out");

// One for all, or each handshake would leave some 40 KB to the next collection of garbage. The system's roots need not be loaded:
// they cost a megabyte. It resumes no session, which would show the certificate of before: none is given to it.
const NOBODY_TRUSTED = createSecureContext({ ca: [] });

// The same that takes but one kind of key, by Node's word for that: its signatures (RFC 8446 §4.2.3).
const FOR_KEY_KIND = new Map([
  ["ec", createSecureContext({ ca: [], sigalgs: "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512" })],
  [
    "rsa",
    createSecureContext({
      ca: [],
      sigalgs: "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512",
    }),
  ],
]);

async function readPresented(request: HandshakeRequest, signal: AbortSignal): Promise<Handshake> {
  const { serverName } = request;
  const tcp = await open(request, signal);
  const socket = connect({
    socket: tcp,
    rejectUnauthorized: false,
    secureContext: FOR_KEY_KIND.get(request.keyKind ?? "") ?? NOBODY_TRUSTED,
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
  socket.on("error", () => {}); // one may still come after the first, which is the one that is told
  try {
    await once(socket, "secureConnect", { signal });
    // Not getPeerX509Certificate(): Node 24 keeps the chain of each of those, some 5 KB, for ever.
    const { raw, fingerprint256: fingerprint }: Partial<PeerCertificate> = socket.getPeerCertificate(false);
    if (raw === undefined || fingerprint === undefined)
      return { kind: "no-certificate", words: "it presented no certificate" };
    return { kind: "presented", fingerprint, read: () => readCertificate(raw) };
  } finally {
    // What was written goes out first: the server is spared the log line of a handshake that was broken off.
    if (signal.aborted) socket.destroy();
    else socket.destroySoon();
  }
}

function readCertificate(der: Buffer): Presented {
  const certificate = new X509Certificate(der);
  return {
    leaf: leafOf(certificate),
    isSelfSigned: certificate.checkIssued(certificate),
    subject: certificate.subject,
  };
}

// What comes before the handshake.
async function open({ address, port, isProxied, startTls }: HandshakeRequest, signal: AbortSignal): Promise<Socket> {
  const socket = connectTcp({ host: address, port, autoSelectFamily: false });
  socket.on("error", () => {}); // as above
  try {
    await once(socket, "connect", { signal });
    if (isProxied) socket.write(proxyHeader(socket));
    if (startTls !== undefined) await goOverToTls(socket, startTls, signal);
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}

// Version 1 of the PROXY protocol, with what is true: we speak for ourselves.
function proxyHeader({ localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 }: Socket): string {
  const family = isIPv6(remoteAddress) ? "TCP6" : "TCP4";
  return `PROXY ${family} ${localAddress} ${remoteAddress} ${localPort} ${remotePort}\r\n`;
}

function readFailure({ code = "", message: words, cause }: NodeJS.ErrnoException): Handshake {
  if (cause === TIMED_OUT || code === "ETIMEDOUT") return { kind: "timeout", words };
  if (code === "ECONNREFUSED") return { kind: "refused", words };
  if (/^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENOTFOUND)$/.test(code)) return { kind: "unreachable", words };
  // What is on the other side speaks something else. OpenSSL's own message is a line of file names.
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code))
    return { kind: "no-certificate", words: "its answer is not TLS" };
  const failed = { kind: "no-certificate", words: code === "" ? words : `${code}: ${plainReason(words)}` } as const;
  return /ALERT/.test(code) ? { ...failed, isAlert: true } : failed;
}

// "C0A1…:error:0A000458:SSL routines:ssl3_read_bytes:tlsv1 unrecognized name:../deps/openssl/…:SSL alert number 112\n"
function plainReason(message: string): string {
  const [, , , , , reason] = message.split(":");
  return message.includes(":error:") && reason ? reason : message.trim();
}
