import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

/** A DNS server on loopback that knows CAA, TXT, address and PTR records, and nothing else. */
export type DnsServer = {
  /** Address and port, as `Resolver.setServers` takes them. */
  readonly address: string;
  /** The names that were asked for so far, in order. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
};

/** A name's records, or how the server fails for it; names that aren't there don't exist. */
export type DnsZone = Readonly<Record<string, readonly DnsRecord[] | "servfail" | "silence">>;

/** CAA: flags, tag and value; TXT: the pieces of one record; an address of either kind; a name that an address has. */
export type DnsRecord =
  | readonly [number, string, string]
  | { readonly txt: readonly string[] }
  | { readonly address: string }
  | { readonly ptr: string };

const NO_ERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const HEADER_BYTES = 12;
const A = 1;
const PTR = 12;
const TXT = 16;
const AAAA = 28;
const CAA = 257;

/** Starts a server for one zone, which may change later (RFC 1035 over UDP, records of RFC 8659). */
export async function startDnsServer(zone: DnsZone): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", (query, { address, port }) => {
    const { name, end } = readName(query);
    asked.push(name);
    const known = zone[name];
    if (known === "silence") return;
    const type = query.readUInt16BE(end);
    const all = known === undefined || known === "servfail" ? [] : known;
    const records = all.filter((record) => typeOf(record) === type);
    const rcode = known === undefined ? NXDOMAIN : known === "servfail" ? SERVFAIL : NO_ERROR;
    const header = Buffer.from(query.subarray(0, HEADER_BYTES));
    header.writeUInt16BE(0x8180 | rcode, 2);
    header.writeUInt16BE(records.length, 6);
    header.writeUInt32BE(0, 8);
    const question = query.subarray(HEADER_BYTES, end + 4);
    socket.send(Buffer.concat([header, question, ...records.map(answer)]), port, address);
  });
  await new Promise<void>((resolve) => void socket.bind(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    stop: () => new Promise((resolve) => void socket.close(resolve)),
  };
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 1 };
}

// The name is a pointer to the question's (RFC 1035 §4.1.4).
function answer(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE(typeOf(record), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function typeOf(record: DnsRecord): number {
  if ("txt" in record) return TXT;
  if ("ptr" in record) return PTR;
  return "address" in record ? (isIPv6(record.address) ? AAAA : A) : CAA;
}

function dataOf(record: DnsRecord): Buffer {
  if ("txt" in record) return Buffer.concat(record.txt.map(counted));
  if ("ptr" in record) return Buffer.concat([...record.ptr.split(".").map(counted), Buffer.from([0])]);
  return "address" in record ? addressData(record.address) : caaData(record);
}

// With `::` at most once, as RFC 4291 §2.2 has it.
function addressData(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const groups = address.replace(/^.*::/, "").split(":");
  const start = address.includes("::") ? (address.split("::")[0] ?? "").split(":").filter(Boolean) : [];
  const zeros = Array<string>(8 - start.length - groups.length).fill("0");
  return Buffer.from([...start, ...zeros, ...groups].map((group) => group.padStart(4, "0")).join(""), "hex");
}

function caaData([flags, tag, value]: readonly [number, string, string]): Buffer {
  return Buffer.concat([Buffer.from([flags]), counted(tag), Buffer.from(value, "latin1")]);
}

function counted(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
}
