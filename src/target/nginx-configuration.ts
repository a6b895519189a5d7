import { posix } from "node:path";
import { canonicalIp } from "../certificate/index.ts";
import { isGlobMatch } from "./glob.ts";
import { lexNginx, type Directive } from "./nginx-syntax.ts";

/** One address and port of a server; `address` is `*` or `::` for all of a family, else as it is written. */
export type NginxListen = {
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly isQuic: boolean;
  /** It waits for a PROXY header before anything else. */
  readonly isProxied: boolean;
  readonly isDefault: boolean;
  /** `[::]` that takes IPv4 too. */
  readonly isBothFamilies: boolean;
};

/** A server block, of HTTP, streams or mail, with what it inherits. */
export type NginxServer = {
  readonly listens: readonly NginxListen[];
  /** In lower case, as they are written: `a.test`, `*.a.test`, `.a.test`, `www.*`, `~regex`. */
  readonly names: readonly string[];
  /** Paths of the files that its certificates are in, absolute. */
  readonly certificates: readonly string[];
  /** It has one besides whose file can't be known: a variable, or data. */
  readonly hasUnknown: boolean;
  readonly protocols?: readonly string[] | undefined;
  readonly ciphers?: string | undefined;
};

// Includes of includes; and all directives that are looked at, those of a file once for each time that it is included.
const DEEPEST_INCLUDE = 20;
const MOST_STEPS = 200_000;

/** Reads what `nginx -T` prints: all servers, in their order. Undefined where that isn't a configuration, or one beyond all measure. */
export function readConfiguration(printed: string): readonly NginxServer[] | undefined {
  const files = filesOf(printed);
  const [main] = files.keys();
  if (main === undefined) return undefined;
  try {
    const servers = new Reader(files, posix.dirname(main)).servers(main);
    // Copied: a piece of a text would keep all of it in memory.
    return JSON.parse(JSON.stringify(servers)) as NginxServer[];
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

// "# configuration file /etc/nginx/nginx.conf:", then its text; each file once, however often it is included.
function filesOf(printed: string): Map<string, string> {
  const files = new Map<string, string>();
  const heads = [...printed.matchAll(/^# configuration file (\/[^\n]*):$/gm)];
  heads.forEach((head, index) => {
    const [line, path = ""] = head;
    if (!files.has(path)) files.set(path, printed.slice(head.index + line.length, heads[index + 1]?.index));
  });
  return files;
}

type Inherited = Pick<NginxServer, "certificates" | "hasUnknown" | "protocols" | "ciphers"> & {
  readonly isTls: boolean;
};

const NOTHING: Inherited = { certificates: [], hasUnknown: false, isTls: false };

class Reader {
  readonly #files: ReadonlyMap<string, string>;
  readonly #folder: string;
  readonly #lexed = new Map<string, readonly Directive[]>();
  readonly #matching = new Map<string, readonly string[]>();
  #steps = 0;

  constructor(files: ReadonlyMap<string, string>, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  servers(main: string): NginxServer[] {
    const blocks = this.#expand(this.#lex(main)).filter(({ name }) => /^(http|stream|mail)$/.test(name));
    return blocks.flatMap(({ block = [] }) => {
      const inside = this.#expand(block);
      const common = this.#settings(inside, NOTHING);
      return inside.flatMap((one) => (one.name === "server" && one.block ? [this.#server(one.block, common)] : []));
    });
  }

  #server(block: readonly Directive[], common: Inherited): NginxServer {
    const inside = this.#expand(block);
    const argsOf = (wanted: string) => inside.flatMap(({ name, args }) => (name === wanted ? [args] : []));
    const { isTls, ...settings } = this.#settings(inside, common);
    const listens = argsOf("listen").flatMap((args) => readListen(args, isTls) ?? []);
    const names = argsOf("server_name")
      .flat()
      .map((name) => name.toLowerCase());
    return { listens, names, ...settings };
  }

  #settings(inside: readonly Directive[], outer: Inherited): Inherited {
    const last = (wanted: string) => inside.findLast(({ name }) => name === wanted)?.args;
    const paths = inside.flatMap(({ name, args: [path = ""] }) => (name === "ssl_certificate" ? [path] : []));
    const files = paths.filter((path) => !/\$|^(data|engine|store):/.test(path));
    const own = { certificates: files.map((path) => this.#absolute(path)), hasUnknown: files.length < paths.length };
    return {
      ...(paths.length > 0 ? own : { certificates: outer.certificates, hasUnknown: outer.hasUnknown }),
      protocols: last("ssl_protocols") ?? outer.protocols,
      ciphers: last("ssl_ciphers")?.join(" ") ?? outer.ciphers,
      isTls: (last("ssl")?.[0] ?? (outer.isTls ? "on" : "off")) === "on",
    };
  }

  // With the text of what is included in its place.
  #expand(directives: readonly Directive[], depth = 0): Directive[] {
    this.#step(directives.length);
    if (depth > DEEPEST_INCLUDE) throw new RangeError("includes go round in a circle");
    return directives.flatMap((one) => {
      if (one.name !== "include") return [one];
      return this.#included(one.args[0] ?? "").flatMap((path) => this.#expand(this.#lex(path), depth + 1));
    });
  }

  #included(written: string): readonly string[] {
    const pattern = this.#absolute(written);
    if (this.#files.has(pattern)) return [pattern];
    const known = this.#matching.get(pattern);
    if (known) return known;
    // A name costs its length times the pattern's.
    for (const path of this.#files.keys()) this.#step(Math.ceil((path.length * pattern.length) / 1000));
    const found = [...this.#files.keys()].filter((path) => isGlobMatch(path, pattern)).sort();
    this.#matching.set(pattern, found);
    return found;
  }

  #lex(path: string): readonly Directive[] {
    const known = this.#lexed.get(path) ?? lexNginx(this.#files.get(path) ?? "");
    this.#lexed.set(path, known);
    return known;
  }

  #absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.#folder}/${path}`;
  }

  #step(count: number): void {
    this.#steps += count + 1;
    if (this.#steps > MOST_STEPS) throw new RangeError("a configuration beyond all measure");
  }
}

const PORT = /^[1-9]\d{0,4}$/;

// "443", "*:443", "192.0.2.1:443", "[::]:443", "192.0.2.1": without a port it is 80. A socket's file and a range of ports are none.
function readListen([where = "", ...options]: readonly string[], isTlsServer: boolean): NginxListen | undefined {
  const [, bracketed, plain = "", port = "80"] = PORT.test(where)
    ? ["", undefined, "*", where]
    : (/^(?:\[([0-9a-fA-F:.]+)\]|([^:]+))(?::(\d+))?$/.exec(where) ?? []);
  if ((bracketed ?? plain) === "" || !PORT.test(port) || options.includes("udp")) return undefined;
  return {
    address: bracketed === undefined ? (plain === "0.0.0.0" ? "*" : plain) : canonicalIp(bracketed),
    port: Number(port),
    isTls: isTlsServer || options.includes("ssl"),
    isQuic: options.includes("quic"),
    isProxied: options.includes("proxy_protocol"),
    isDefault: options.includes("default_server") || options.includes("default"),
    isBothFamilies: options.includes("ipv6only=off"),
  };
}
