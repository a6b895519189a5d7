import { describe, expect, test } from "vitest";
import { parseIdentifier, sameIdentifiers } from "../../../src/certificate/index.ts";

describe("a name as an operator types it", () => {
  test.each([
    ["shop.example.org", { type: "dns", value: "shop.example.org" }],
    ["Shop.Example.ORG.", { type: "dns", value: "shop.example.org" }],
    ["*.example.org", { type: "dns", value: "*.example.org" }],
    ["bücher.example", { type: "dns", value: "xn--bcher-kva.example" }],
    ["xn--bcher-kva.example", { type: "dns", value: "xn--bcher-kva.example" }],
    ["BÜCHER。example．", { type: "dns", value: "xn--bcher-kva.example" }],
    ["faß.example", { type: "dns", value: "xn--fa-hia.example" }],
    ["💩.example", { type: "dns", value: "xn--ls8h.example" }],
    ["ｗｗｗ.example", { type: "dns", value: "www.example" }],
    ["*.bücher.example", { type: "dns", value: "*.xn--bcher-kva.example" }],
    ["4.3.2.1.in-addr.example", { type: "dns", value: "4.3.2.1.in-addr.example" }],
    ["192.0.2.7", { type: "ip", value: "192.0.2.7" }],
    ["2001:DB8::0:1", { type: "ip", value: "2001:db8::1" }],
    ["[2001:db8::1]", { type: "ip", value: "2001:db8::1" }],
  ])("%s is understood", (text, identifier) => {
    expect(parseIdentifier(text)).toEqual(identifier);
  });

  test.each([
    ["https://shop.example.org", "is a URL"],
    ["shop.example.org:8443", "has a port or a path"],
    ["shop.example.org/x", "has a port or a path"],
    ["a.*.example.org", "is not its first label"],
    ["*", "is not its first label"],
    ["localhost", "has no dot"],
    ["my_site.example.org", "has an underscore"],
    ["-a.example.org", "is not a domain name"],
    ["a b.example.org", "is not a domain name"],
    ["..", "is not a domain name"],
    ["../../etc", "has a port or a path"],
    ["1.2.3", "neither a domain name nor a whole IP address"],
    ["192.0.2.7.", "neither a domain name nor a whole IP address"],
    ["*.192.0.2.7", "neither a domain name nor a whole IP address"],
    ["0x7f.1", "neither a domain name nor a whole IP address"],
    ["１９２.0.2.7", "neither a domain name nor a whole IP address"],
    ["1.2.3.4.5", "is not a domain name"],
    ["fe80::1%eth0", "has a port or a path"],
    ["shop.example.org?x", "is not a domain name"],
    ["shop.example.org#x", "is not a domain name"],
    ["shop.example.org\\x", "is not a domain name"],
    ["sh%6fp.example.org", "is not a domain name"],
    ["me@shop.example.org", "is not a domain name"],
    ["sh\top.example.org", "is not a domain name"],
    [`${"ü".repeat(60)}.example`, "is not a domain name"],
    ["$(id).example.org", "is not a domain name"],
    [`${"a".repeat(64)}.example.org`, "is not a domain name"],
    [`${"a.".repeat(130)}org`, "longer than the 253"],
  ])("%s is refused, with the reason", (text, reason) => {
    expect(() => parseIdentifier(text)).toThrow(reason);
  });
});

test("two lists are the same names in any order, and nothing less", () => {
  const a = parseIdentifier("a.example.org");
  const b = parseIdentifier("b.example.org");
  expect(sameIdentifiers([a, b], [b, a])).toBe(true);
  expect(sameIdentifiers([a, b], [a])).toBe(false);
  expect(sameIdentifiers([a], [a, b])).toBe(false);
});
