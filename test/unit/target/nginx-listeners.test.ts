import { describe, expect, test } from "vitest";
import { parseIdentifier } from "../../../src/certificate/index.ts";
import { readConfiguration } from "../../../src/target/nginx-configuration.ts";
import { listeningOf } from "../../../src/target/nginx-listeners.ts";

const ADDRESSES = ["172.18.0.3", "fd00::3"];
const OURS = "ssl_certificate /etc/letsencrypt/live/l/fullchain.pem;";
const OTHER = "ssl_certificate /etc/ssl/other.pem;";

function listening(http: string, addresses = ADDRESSES) {
  const servers = readConfiguration(`# configuration file /etc/nginx/nginx.conf:\nhttp { ${http} }\n`) ?? [];
  return listeningOf(servers, { address: addresses[0] ?? "", port: 443, addresses });
}

/** Where a name of `l` is asked for, in short. */
function asked(http: string, name = "a.test", addresses = ADDRESSES): string {
  const listeners = listening(http, addresses).listenersOf("l", parseIdentifier(name));
  return listeners.map((one) => `${one.address} ${one.port}${one.isProxied ? " proxied" : ""}`).join(", ");
}

const server = (listens: string, names: string, certificate = OURS) =>
  `server { ${listens
    .split(",")
    .map((listen) => `listen ${listen};`)
    .join(" ")} server_name ${names}; ${certificate} }`;

const MAIN = "172.18.0.3 443";

describe("a name is asked for", () => {
  test("on each address, port and family on which a server of its certificate has it", () => {
    expect(asked(server("443 ssl,[::]:443 ssl,8443 ssl", "a.test"))).toBe(`${MAIN}, fd00::3 443, 172.18.0.3 8443`);
    expect(asked(server("443 ssl,[::]:443 ssl", "a.test"), "a.test", ["172.18.0.3"])).toBe(MAIN);
    expect(asked(server("[::]:443 ssl ipv6only=off", "a.test"))).toBe(MAIN);
    expect(asked(server("443 ssl,80,81 quic", "a.test"))).toBe(MAIN);
  });

  test("with a PROXY header where any server of that listener waits for one", () => {
    const more = server("443 ssl proxy_protocol", "x.test", OTHER);
    expect(asked(more + server("443 ssl,8443 ssl", "a.test"))).toBe(`${MAIN} proxied, 172.18.0.3 8443`);
    expect(asked(more)).toBe(`${MAIN} proxied`);
  });

  test("not where it can't be asked: loopback, another host's address, a name", () => {
    const more = "8443 ssl,127.0.0.1:444 ssl,192.0.2.1:445 ssl,localhost:446 ssl,[::1]:447 ssl,unix:/x ssl";
    const http = server(`443 ssl,${more}`, "a.test");
    expect(asked(http)).toBe(`${MAIN}, 172.18.0.3 8443`);
    expect(listening(http).unreached).toEqual(["127.0.0.1:444", "192.0.2.1:445", "localhost:446", "::1:447"]);
  });

  test("on an address of its own by that, since who listens on all of them doesn't answer there", () => {
    const http = server("172.18.0.3:8443 ssl", "a.test", OTHER) + server("443 ssl,8443 ssl", "a.test");
    expect(asked(http)).toBe(MAIN);
    expect(listening(http).unreached).toEqual(["*:8443"]);
    expect(asked(server("172.18.0.3:8443 ssl,443 ssl", "a.test"))).toBe(`${MAIN}, 172.18.0.3 8443`);
  });

  test("where nobody knows by whom it is answered, not there, but always where the target is said to be", () => {
    expect(asked("")).toBe(MAIN);
    expect(asked(server("443 ssl", "a.test", OTHER))).toBe(MAIN);
    expect(asked(server("443 ssl,8443 ssl", "a.test", "ssl_certificate /live/$host/x;"))).toBe(MAIN);
    const pattern = server("8443 ssl", "~^a", OTHER) + server("8443 ssl default_server", "b.test");
    expect(asked(server("443 ssl", "a.test") + pattern)).toBe(MAIN);
    expect(asked(server("443 ssl", "a.test") + server("8443 ssl", "~^a"))).toBe(`${MAIN}, 172.18.0.3 8443`);
  });

  test("elsewhere alone where no server has it at the port that everybody looks at", () => {
    const apart = server("443 ssl", "b.test", OTHER) + server("8443 ssl", "a.test");
    expect(asked(apart)).toBe("172.18.0.3 8443");
    expect(asked(server("8443 ssl", "a.test"))).toBe("172.18.0.3 8443");
    const handedOn = "server { listen 443; }" + server("8443 ssl proxy_protocol", "a.test");
    expect(asked(handedOn)).toBe(`${MAIN}, 172.18.0.3 8443 proxied`);
    const frozen = server("443 ssl", "a.test", OTHER) + server("8443 ssl", "a.test");
    expect(asked(frozen)).toBe(`${MAIN}, 172.18.0.3 8443`);
  });
});

describe("as nginx chooses, a name gets", () => {
  /** Which of these servers' names it gets on 443; `default` has none that fits. */
  const chosen = (name: string, ...names: readonly string[]) => {
    const http = names.map((one) => server("443 ssl", one)).join("") + server("443 ssl default_server", "default");
    const listener = { address: "172.18.0.3", port: 443, isProxied: false };
    return listening(http)
      .serversFor(listener, parseIdentifier(name))
      .map((one) => one.names.join(" "))
      .join(", ");
  };

  test.each<[string, string, ...string[]]>([
    ["a.test", "a.test", "*.test", "a.test", "a.test"],
    ["a.b.test", "*.b.test", "*.test", "*.b.test", "a.b.*"],
    ["a.b.test", "a.b.*", "a.*", "a.b.*"],
    ["b.test", ".b.test", "*.test", ".b.test"],
    ["x.b.test", ".b.test", ".b.test"],
    ["*.b.test", "*.b.test", "a.b.test", "*.b.test"],
    ["*.b.test", "default", "a.b.test"],
    ["c.test", "~^c, default", "~^c", "a.test"],
    ["192.0.2.9", "default", "192.0.2.9"],
  ])("%s: %s", (name, wanted, ...names) => {
    expect(chosen(name, ...names)).toBe(wanted);
  });

  test("the first one where none is the default", () => {
    expect(asked(server("443 ssl", "x.test") + server("443 ssl", "y.test", OTHER))).toBe(MAIN);
    expect(asked(server("443 ssl,8443 ssl", "x.test") + server("8443 ssl", "y.test", OTHER))).toBe(
      `${MAIN}, 172.18.0.3 8443`,
    );
  });
});
