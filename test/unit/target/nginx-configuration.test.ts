import { describe, expect, test } from "vitest";
import { isGlobMatch } from "../../../src/target/glob.ts";
import { readConfiguration } from "../../../src/target/nginx-configuration.ts";

const MAIN = "/etc/nginx/nginx.conf";

/** As `nginx -T` prints files. */
function printed(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .map(([path, text]) => `# configuration file ${path}:\n${text}\n\n`)
    .join("");
}

/** Servers of one file, in short: names, then where they listen, then what they read. */
function shortOf(files: string | Readonly<Record<string, string>>): string[] | undefined {
  return readConfiguration(printed(typeof files === "string" ? { [MAIN]: files } : files))?.map((server) => {
    const listens = server.listens.map(({ address, port, ...is }) => {
      const flags = [is.isTls && "ssl", is.isProxied && "proxied", is.isQuic && "quic", is.isDefault && "default"];
      return [`${address} ${port}`, ...flags.filter(Boolean), ...(is.isBothFamilies ? ["both"] : [])].join(" ");
    });
    const read = [...server.certificates, ...(server.hasUnknown ? ["?"] : [])].join(" ");
    return `${server.names.join(" ")} | ${listens.join(", ")} | ${read}`;
  });
}

describe("nginx's configuration", () => {
  test.each([
    ["443 ssl", "* 443 ssl"],
    ["*:443 ssl default_server", "* 443 ssl default"],
    ["0.0.0.0:443 ssl default", "* 443 ssl default"],
    ["[::]:8443 ssl http2 ipv6only=off", ":: 8443 ssl both"],
    ["[2001:DB8:0::1]:443 ssl", "2001:db8::1 443 ssl"],
    ["192.0.2.1 ssl", "192.0.2.1 80 ssl"],
    ["127.0.0.1:443 ssl proxy_protocol", "127.0.0.1 443 ssl proxied"],
    ["localhost:443 ssl", "localhost 443 ssl"],
    ["443 quic reuseport", "* 443 quic"],
    ["unix:/run/nginx.sock ssl", ""],
    ["8000-8010 ssl", "8000-8010 80 ssl"],
    ["$port ssl", "$port 80 ssl"],
  ])("listen %s is read", (listen, short) => {
    expect(shortOf(`http { server { listen ${listen}; } }`)).toEqual([` | ${short} | `]);
  });

  test("comments, quotes, escapes, variables and blocks are read as nginx does", () => {
    const text = String.raw`
      # server { listen 1 ssl; }
# configuration file for the site:
      events { worker_connections 10; }
      http {
        log_format main '$remote_addr "{" ; # no comment' "it's; } {";
        map $host $x { default "}"; '~^a{2}\. ' b; include no.map; }
        map "$a{b}" ${"$y"} { '' 0; }
        upstream app { server 10.0.0.1:443; server unix:/x; }
        server { # first
          listen 443 ssl;listen [::]:443 ssl;
          server_name A.test "b.test" ~^(?<sub>.+)\.c\.test$ *.d.test '~^e\d{2}\.test$';
          ssl_certificate "/etc/ssl/with space.pem" ;
          set $a "\"; }";
          if ($host = x) { return 301 https://${"${"}host}/}; }
          location ~ \.php$ { location /a { listen 9 ssl; ssl_certificate no; } }
          ssl_certificate /etc/ssl/b#c.pem;
        }
        server{listen 8443 ssl;ssl_certificate a;}}`;
    expect(shortOf(text)).toEqual([
      String.raw`a.test b.test ~^(?<sub>.+)\.c\.test$ *.d.test ~^e\d{2}\.test$ | * 443 ssl, :: 443 ssl | /etc/ssl/with space.pem /etc/ssl/b#c.pem`,
      " | * 8443 ssl | /etc/nginx/a",
    ]);
  });

  test("includes are read in their place, each where it is included, by glob in order, relative to nginx.conf", () => {
    const files = {
      [MAIN]: "http { include conf.d/*.conf; include /srv/sites/[!_]?.conf; include none/*.conf; }",
      "/etc/nginx/conf.d/b.conf": "server { include tls.conf; server_name b; }",
      "/etc/nginx/tls.conf": "listen 443 ssl; ssl_certificate live/x/fullchain.pem;",
      "/etc/nginx/conf.d/a.conf": "server { server_name a; include tls.conf; }",
      "/etc/nginx/conf.d/sub/c.conf": "server { server_name c; include tls.conf; }",
      "/srv/sites/s1.conf": "server { server_name s; listen 1; }",
      "/srv/sites/_1.conf": "server { server_name no; listen 1; }",
    };
    expect(shortOf(files)).toEqual([
      "a | * 443 ssl | /etc/nginx/live/x/fullchain.pem",
      "b | * 443 ssl | /etc/nginx/live/x/fullchain.pem",
      "s | * 1 | ",
    ]);
  });

  test("what stands in http is inherited, unless a server says its own; variables and data are unknown", () => {
    const text = `
      http {
        server { listen 443; server_name a; ssl on; }
        server { listen 443 ssl; server_name b; ssl_certificate $path; ssl_protocols TLSv1.2; }
        server { listen 443 ssl; server_name c; ssl_certificate data:$pem; ssl_certificate /c; ssl_ciphers "x:y"; }
        ssl_certificate /common; ssl_protocols TLSv1.3; ssl_ciphers all;
      }
      stream { server { listen 636 ssl; ssl_certificate /s; } server { listen 53 udp; } }
      mail { ssl_certificate /m; server { listen 993 ssl; protocol imap; } }`;
    expect(shortOf(text)).toEqual([
      "a | * 443 ssl | /common",
      "b | * 443 ssl | ?",
      "c | * 443 ssl | /c ?",
      " | * 636 ssl | /s",
      " |  | ",
      " | * 993 ssl | /m",
    ]);
    expect(readConfiguration(printed({ [MAIN]: text }))?.slice(0, 3)).toMatchObject([
      { protocols: ["TLSv1.3"], ciphers: "all" },
      { protocols: ["TLSv1.2"], ciphers: "all" },
      { protocols: ["TLSv1.3"], ciphers: "x:y" },
    ]);
  });

  test("Lua in it is passed over", () => {
    const text = `
      http {
        init_by_lua_block { -- don't } {
          local a = "}" .. '{' .. [[ }} ' ]] --[[ } " ]]
          if a then b({}) end
        }
        server { listen 443 ssl; access_by_lua_block { return "}" } ssl_certificate /a; }
      }`;
    expect(shortOf(text)).toEqual([" | * 443 ssl | /a"]);
  });

  test.each([
    ["nothing", ""],
    ["something else", "nginx: [emerg] no\n"],
    ["a circle of includes", printed({ [MAIN]: "http { include a; }", "/etc/nginx/a": "include a;" })],
    ["blocks without an end", printed({ [MAIN]: "http { ".repeat(1000) })],
    [
      "a million directives",
      printed({ [MAIN]: `http { ${"include a;".repeat(1000)} }`, "/etc/nginx/a": "ssl on;".repeat(1000) }),
    ],
  ])("of %s nothing is known", (_, text) => {
    expect(readConfiguration(text)).toBeUndefined();
  });

  test("a configuration that is cut off tells what stood before", () => {
    expect(shortOf('http { server { listen 443 ssl; } server { listen 80; server_name "a')).toEqual([
      " | * 443 ssl | ",
      " | * 80 | ",
    ]);
  });
});

test.each([
  ["/a/b.conf", "/a/*.conf", true],
  ["/a/b.conf", "/*/b.conf", true],
  ["/a/b/c.conf", "/a/*.conf", false],
  ["/a/b.conf", "/a/?.conf", true],
  ["/a/b.conf", "/a/[a-c].conf", true],
  ["/a/b.conf", "/a/[!a-c].conf", false],
  ["/a/b.conf", "/a/b", false],
  ["/a/b", "/a/b*", true],
  ["/a/aab", "/a/*ab", true],
  ["/a/[x", "/a/[x", true],
])("%s against %s is %s", (path, pattern, is) => {
  expect(isGlobMatch(path, pattern)).toBe(is);
});
