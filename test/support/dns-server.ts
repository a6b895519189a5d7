import { createSocket } from "node:dgram";

/** A DNS server on loopback that knows CAA and TXT records, and nothing else. */
export type DnsServer = {
  /** Address and port, as `Resolver.setServers` takes them. */
  readonly address: string;
  /** The names that were asked for so far, in order. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
};

/** A name's records, or how the server fails for it; names that aren't there don't exist. */
export type DnsZone = Readonly<Record<string, readonly DnsRecord[] | "servfail" | "silence">>;

/** CAA: flags, tag and value; TXT: the pieces of one record. */
export type DnsRecord = readonly [number, string, string] | { readonly txt: readonly string[] };

const NO_ERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const HEADER_BYTES = 12;
const TXT = 16;
const CAA = 257;

/** Starts a server for one zone (RFC 1035 over UDP, records of RFC 8659). */
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
    const records = all.filter((record) => ("txt" in record ? TXT : CAA) === type);
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
  const data = "txt" in record ? Buffer.concat(record.txt.map(counted)) : caaData(record);
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE("txt" in record ? TXT : CAA, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function caaData([flags, tag, value]: readonly [number, string, string]): Buffer {
  return Buffer.concat([Buffer.from([flags]), counted(tag), Buffer.from(value, "latin1")]);
}

function counted(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
}
