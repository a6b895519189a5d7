import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { identifierKey, OperatorError, parseIdentifier, readLeaf } from "../../src/certificate/index.ts";
import type { CertificateAuthority, IssuedCertificate, IssueRequest, OpenOrder } from "../../src/reconcile/index.ts";
import { PRODUCTION } from "./a-policy.ts";
import { byWebroot } from "./challenges.ts";
import { collectLog } from "./collected-log.ts";

/** A CA that the contract is tried on: it is well, and proofs are found. */
export type ContractCa = {
  readonly authority: CertificateAuthority;
  /** Asks for a certificate with these names, of which the CA has seen none yet. */
  readonly request: (names: readonly string[]) => IssueRequest;
  /** How many CSRs it has got so far. */
  readonly csrsSent: () => number;
};

/** Asks for a certificate with these names, in the simplest way. */
export function requestOf(names: readonly string[]): IssueRequest {
  const identifiers = names.map(parseIdentifier);
  const common = { keyType: "ecdsa-p256", challenges: byWebroot(), account: "stored" } as const;
  return { ...common, lineage: names[0] ?? "", identifiers, directoryUrl: PRODUCTION };
}

const log = collectLog();
const reason = new Error("we are stopping");

class DiskFull extends OperatorError {
  readonly code = "STORE_DISK_FULL";
  readonly remedy = "Free space.";
}

const live = () => new AbortController().signal;

/** What {@link CertificateAuthority} promises: for the real part and for every double of it. */
export function caContract(make: () => Promise<ContractCa>): void {
  let serial = 0;
  const freshNames = (count = 1) =>
    Array.from({ length: count }, () => `contract-${(serial += 1)}-${process.pid}.test`);

  /** Has one certificate issued; `placed` is the order as `beforeFinalize` was told of it. */
  async function issueOne({ authority, request }: ContractCa, changed: Partial<IssueRequest> = {}) {
    const asked = { ...request(freshNames()), ...changed };
    const orders: OpenOrder[] = [];
    const beforeFinalize = async (order: OpenOrder) => void orders.push(order);
    const issued = await authority.issue({ ...asked, beforeFinalize }, log, live());
    const [placed] = orders;
    if (placed === undefined || orders.length > 1) throw new Error(`beforeFinalize was called ${orders.length} times`);
    return { asked, issued, placed };
  }

  describe("an order", () => {
    test("brings exactly its names, with a key that fits and is told before", async () => {
      const ca = await make();
      const names = freshNames(3);
      const { asked, issued, placed } = await issueOne(ca, ca.request(names));
      expect(readLeaf(issued.certificatePem).identifiers.map(identifierKey).sort()).toEqual(
        asked.identifiers.map(identifierKey).sort(),
      );
      expect(isKeyOf(issued)).toBe(true);
      expect(placed).toMatchObject({ privateKeyPem: issued.privateKeyPem, isReplacement: false });
      expect(issued.isReplacement).toBe(false);
      expect(issued.accountId).toMatch(/^[0-9a-f]{32}$/);
    });

    test("has a key of its own, but for one that is to be used again", async () => {
      const ca = await make();
      const [first, second] = [await issueOne(ca), await issueOne(ca)];
      expect(first.issued.privateKeyPem).not.toBe(second.issued.privateKeyPem);
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      const { issued } = await issueOne(ca, { privateKeyPem });
      expect(issued.privateKeyPem).toBe(privateKeyPem);
      expect(isKeyOf(issued)).toBe(true);
    });

    test("sends no CSR while beforeFinalize is at work, and none when that throws, which is what is thrown", async () => {
      const { authority, request, csrsSent } = await make();
      const before = csrsSent();
      const mistake = new DiskFull("the disk is full");
      const seen: number[] = [];
      const beforeFinalize = async () => {
        // A way there and back, in which a CSR would come along.
        await authority.isAnswering(asked.directoryUrl, live());
        seen.push(csrsSent());
        throw mistake;
      };
      const asked = request(freshNames());
      await expect(authority.issue({ ...asked, beforeFinalize }, log, live())).rejects.toBe(mistake);
      expect([...seen, csrsSent()]).toEqual([before, before]);
      await authority.issue(asked, log, live());
      expect(csrsSent()).toBe(before + 1);
    });

    test("is one of several at once, each with its own certificate", async () => {
      const ca = await make();
      const all = await Promise.all([issueOne(ca), issueOne(ca), issueOne(ca)]);
      const leaves = all.map(({ issued }) => readLeaf(issued.certificatePem));
      expect(leaves.map(({ identifiers }) => identifiers)).toEqual(all.map(({ asked }) => asked.identifiers));
      expect(new Set(leaves.map(({ fingerprint }) => fingerprint)).size).toBe(3);
    });

    test("ends with the signal's reason, before it has begun and before its CSR", async () => {
      const { authority, request } = await make();
      await expect(authority.issue(request(freshNames()), log, AbortSignal.abort(reason))).rejects.toBe(reason);
      const controller = new AbortController();
      const beforeFinalize = async () => controller.abort(reason);
      const asked = { ...request(freshNames()), beforeFinalize };
      await expect(authority.issue(asked, log, controller.signal)).rejects.toBe(reason);
    });
  });

  describe("an order that was left behind", () => {
    test("is collected as it was issued, again and again", async () => {
      const ca = await make();
      const { asked, issued, placed } = await issueOne(ca);
      for (const mayWait of [true, false])
        expect(await ca.authority.collect(placed, { ...asked, mayWait }, log, live())).toEqual(issued);
    });

    test("is none where the CA doesn't know it", async () => {
      const ca = await make();
      const { asked, placed } = await issueOne(ca);
      const unknown = { ...placed, url: `${placed.url}0` };
      expect(await ca.authority.collect(unknown, { ...asked, mayWait: true }, log, live())).toBeUndefined();
    });

    test("is collected no more once the signal has aborted", async () => {
      const ca = await make();
      const { asked, placed } = await issueOne(ca);
      const collecting = ca.authority.collect(placed, { ...asked, mayWait: true }, log, AbortSignal.abort(reason));
      await expect(collecting).rejects.toBe(reason);
    });
  });

  describe("a question", () => {
    test("for renewal information is answered by one of its kinds, for a certificate that the CA doesn't know too", async () => {
      const ca = await make();
      const { asked, issued } = await issueOne(ca);
      const { certificateId = "" } = readLeaf(issued.certificatePem);
      const known = await ca.authority.renewalInfo(asked.directoryUrl, certificateId, live());
      expect(["window", "unsupported"]).toContain(known.kind);
      const other = await ca.authority.renewalInfo(asked.directoryUrl, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", live());
      expect(["unsupported", "temporary", "long-term"]).toContain(other.kind);
    });

    test("whether it is there is answered", async () => {
      const { authority, request } = await make();
      expect(await authority.isAnswering(request(freshNames()).directoryUrl, live())).toBe(true);
    });

    test("ends with the signal's reason", async () => {
      const { authority, request } = await make();
      const { directoryUrl } = request(freshNames());
      const aborted = AbortSignal.abort(reason);
      await expect(authority.renewalInfo(directoryUrl, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", aborted)).rejects.toBe(
        reason,
      );
      await expect(authority.isAnswering(directoryUrl, aborted)).rejects.toBe(reason);
    });
  });
}

function isKeyOf({ certificatePem, privateKeyPem }: IssuedCertificate): boolean {
  return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
}
