import { describe, expect, test } from "vitest";
import type { Leaf } from "../../../src/certificate/index.ts";
import {
  NOTHING_SAID,
  readFiles,
  readSays,
  type ConfiguredFile,
  type NginxSays,
} from "../../../src/target/nginx-files.ts";
import { nginxWords } from "../../../src/target/nginx.ts";
import { explainNotServed, type NameFinding } from "../../../src/target/tls/served-finding.ts";

const NOW = new Date("2026-03-01T00:00:00Z");
const NAME = { type: "dns", value: "a.test" } as const;

function presented(
  leaf: Partial<Leaf>,
  more: { readonly isSelfSigned?: boolean; readonly subject?: string } = {},
): NameFinding {
  const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2026-04-01T00:00:00Z") };
  const full: Leaf = { fingerprint: "BB", serial: "02", validity, identifiers: [NAME], issuer: "E7", ...leaf };
  return {
    identifier: NAME,
    listener: { address: "172.18.0.3", port: 443, isProxied: false },
    handshake: {
      kind: "presented",
      fingerprint: full.fingerprint,
      read: () => ({ leaf: full, isSelfSigned: false, subject: "CN=a.test", ...more }),
    },
  };
}

function explain(seen: NameFinding, files: readonly ConfiguredFile[] = [], more: Partial<NginxSays> = {}) {
  const certificate = { lineage: "a.test", identifiers: [NAME], fingerprint: "AA" };
  const place = { name: "nginx-1", service: "nginx", address: "172.18.0.3", port: 443 };
  const facts = {
    place,
    certificate,
    bad: [seen] as const,
    now: NOW,
    words: nginxWords(place, { ...NOTHING_SAID, files, ...more }),
  };
  return explainNotServed(facts);
}

describe("what is served instead", () => {
  test("a placeholder is called so", () => {
    const seen = presented({}, { isSelfSigned: true, subject: "O=cert-sidecar\nCN=PLACEHOLDER for a.test" });
    expect(explain(seen).message).toBe("nginx-1 presents its self-signed placeholder for a.test");
  });

  test("a placeholder's name alone, signed by somebody else, is no placeholder", () => {
    const seen = presented({}, { subject: "CN=placeholder.test" });
    expect(explain(seen).message).toContain("another certificate (a.test, issued by E7");
  });

  test("another certificate is told by names, issuer and end; a long list is cut", () => {
    const identifiers = ["a", "b", "c", "d", "e"].map((name) => ({ type: "dns" as const, value: `${name}.test` }));
    const validity = { notBefore: NOW, notAfter: new Date("2026-02-01T00:00:00Z") };
    expect(explain(presented({ identifiers, validity })).message).toBe(
      "nginx-1 presents another certificate (a.test, b.test, c.test and 2 more, issued by E7, expired since 2026-02-01) for a.test",
    );
    const bare = presented({ identifiers: [] }, { isSelfSigned: true, subject: "O=me\nCN=box" });
    expect(explain(bare).message).toContain("(O=me, CN=box, self-signed, valid until 2026-04-01)");
  });

  test("for an IP address another server's is the default one, which the remedy names", () => {
    const identifier = { type: "ip", value: "203.0.113.7" } as const;
    const { message, remedy } = explain({ ...presented({}), identifier });
    expect(message).toMatch(
      / for 203\.0\.113\.7, whose clients name no server \(RFC 6066 §3\) and get its default one$/,
    );
    expect(remedy).toContain("Put all IP addresses into one certificate");
    const older = explain({ ...presented({ identifiers: [identifier] }), identifier });
    const placeholder = explain({
      ...presented({}, { isSelfSigned: true, subject: "CN=PLACEHOLDER for box" }),
      identifier,
    });
    for (const waiting of [older, placeholder]) expect(waiting.remedy).toContain("Wait for the next deploy");
  });

  test("what nginx's own step has against the pair is said, in place of what may be", () => {
    const words = "/etc/letsencrypt/live/a.test/privkey.pem can't be read";
    const seen = presented({}, { isSelfSigned: true, subject: "CN=PLACEHOLDER for a.test" });
    const { message, remedy } = explain(seen, [{ path: "/etc/nginx/placeholder/a.test/pair.pem" }], {
      problems: new Map([["a.test", words]]),
    });
    expect(message).toBe(`nginx-1 presents its self-signed placeholder for a.test: ${words}`);
    expect(remedy).toContain("Mend that for the service nginx");
    expect(explain(seen, [], { problems: new Map([["b.test", words]]) }).message).not.toContain(words);
  });

  test("an operator's own server that has the name there is why, and which files it should read is said", () => {
    const ours = [{ path: "/etc/letsencrypt/live/a.test/fullchain.pem" }];
    const { message, remedy } = explain(presented({}), ours, { ownServers: ["a.test 443"] });
    expect(message).toMatch(/: a server of your own has the name a\.test on port 443, so ours is left out$/);
    expect(remedy).toContain("/etc/letsencrypt/live/a.test/");
    for (const other of ["a.test 80", "b.test 443"])
      expect(explain(presented({}), ours, { ownServers: [other] }).message).not.toContain("your own");
  });

  test("what nginx's container prints is read: problems by lineage, servers, files with the half of a fingerprint", () => {
    const conf =
      "# configuration file /etc/nginx/nginx.conf:\nhttp {\n!! c.test y;\nserver { listen 443 ssl; ssl_certificate x; } }\n";
    const { servers, problems, ownServers } = readSays(`++ a.test 443\n!! a.test one: two\n!! b.test x\n${conf}`);
    expect([...problems]).toEqual([
      ["a.test", "one: two"],
      ["b.test", "x"],
    ]);
    expect(ownServers).toEqual(["a.test 443"]);
    expect(servers).toMatchObject([{ certificates: ["/etc/nginx/x"] }]);
    expect(readSays("!! a.test one\n").servers).toBeUndefined();
    const half = "0123456789abcdef0123456789abcdef";
    expect(readFiles(`${half} /etc/a b.pem\n- gone.pem\n`)).toEqual([
      { path: "/etc/a b.pem", fingerprint: half },
      { path: "gone.pem", fingerprint: undefined },
    ]);
  });

  test("that a certificate is unused, and that variables may name more, is said", () => {
    const server = { listens: [], names: [], certificates: ["/etc/ssl/x.pem"], hasUnknown: true };
    const { message } = explain(presented({}), [{ path: "/etc/ssl/x.pem" }], { servers: [server] });
    expect(message).toContain("reads /etc/ssl/x.pem (and what its variables name), not /etc/letsencrypt/live/a.test/");
  });

  test("a path that is not ours is named with the command that repairs it; ours is not", () => {
    const frozen = explain(presented({}), [{ path: "/etc/ssl/fullchain.pem", fingerprint: "bb" }]);
    expect(frozen.message).toMatch(
      /: its configuration reads \/etc\/ssl\/fullchain\.pem, not \/etc\/letsencrypt\/live\/a\.test\/$/,
    );
    expect(frozen.remedy).toContain("docker compose up -d --force-recreate nginx");
    const ours = explain(presented({}), [
      { path: "/etc/ssl/x.pem" },
      { path: "/etc/letsencrypt/live/a.test/fullchain.pem" },
    ]);
    expect(ours.message).not.toContain("reads");
    expect(explain(presented({})).remedy).toContain("/etc/letsencrypt/live/a.test/");
  });

  test("a path that is not ours and holds the new one is named, with why and what repairs it; ours is for us to repair", () => {
    const named = explain(presented({}), [{ path: "/etc/ssl/x.pem", fingerprint: "aa" }]);
    expect(named.message).toMatch(/, though \/etc\/ssl\/x\.pem holds the new one: .*same modification time and inode$/);
    expect(named.remedy).toMatch(/^Run touch on \/etc\/ssl\/x\.pem .* docker compose exec nginx nginx -s reload/);
    const path = "/etc/letsencrypt/live/a.test/fullchain.pem";
    expect(named).not.toHaveProperty("isKept");
    expect(explain(presented({}), [{ path, fingerprint: "aa" }]).isKept).toBe(true);
    expect(explain(presented({}), [{ path, fingerprint: "bb" }])).not.toHaveProperty("isKept");
  });
});
