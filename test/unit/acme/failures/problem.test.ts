import { describe, expect, test } from "vitest";
import { type Problem, problemWords, readProblem } from "../../../../src/acme/failures/problem.ts";
import { ChallengeFailedError, ProblemError } from "../../../../src/acme/failures/problem-errors.ts";

const URN = "urn:ietf:params:acme:error:";

function problem(type: string, detail = "the CA's words"): Problem {
  return { type: `${URN}${type}`, detail, subproblems: [] };
}

describe("a problem document", () => {
  test("is kept whole, subproblems and instance included", () => {
    const document = {
      type: `${URN}malformed`,
      detail: "Some of the identifiers\n were rejected",
      instance: "https://ca.test/why",
      subproblems: [
        { type: `${URN}rejectedIdentifier`, detail: "policy", identifier: { type: "dns", value: "a.test" } },
        { type: `${URN}dns` },
      ],
    };
    const read = readProblem(document);
    expect(read?.instance).toBe("https://ca.test/why");
    expect(read?.subproblems).toHaveLength(2);
    expect(read && problemWords(read)).toBe(`Some of the identifiers were rejected; a.test: policy; ${URN}dns`);
  });

  test.each([undefined, null, "text", 5, [], {}, { title: "no" }])("%j is none", (data) => {
    expect(readProblem(data)).toBeUndefined();
  });

  test("without a type is one of about:blank", () => {
    expect(readProblem({ detail: "no", subproblems: "nonsense" })).toEqual({
      type: "about:blank",
      detail: "no",
      instance: undefined,
      subproblems: [],
    });
  });
});

// Of IANA's registry "ACME Error Types" what can answer a request of ours, and what CAs use beside it.
const REGISTERED: readonly (readonly [string, string])[] = [
  ["accountDoesNotExist", "ACME_ACCOUNT_REFUSED"],
  ["alreadyReplaced", "ACME_ALREADY_REPLACED"],
  ["badCSR", "ACME_BAD_CSR"],
  ["badNonce", "ACME_BAD_NONCE"],
  ["badPublicKey", "ACME_BAD_ACCOUNT_KEY"],
  ["badSignatureAlgorithm", "ACME_BAD_ACCOUNT_KEY"],
  ["caa", "ACME_CAA"],
  ["connection", "ACME_CHALLENGE_UNREACHABLE"],
  ["dns", "ACME_CHALLENGE_DNS"],
  ["externalAccountRequired", "ACME_EXTERNAL_ACCOUNT_REQUIRED"],
  ["incorrectResponse", "ACME_CHALLENGE_WRONG_ANSWER"],
  ["invalidContact", "ACME_BAD_CONTACT"],
  ["invalidEmail", "ACME_BAD_CONTACT"],
  ["invalidProfile", "ACME_PROFILE_NOT_OFFERED"],
  ["malformed", "ACME_MALFORMED"],
  ["onionCAARequired", "ACME_REJECTED_IDENTIFIER"],
  ["orderNotReady", "ACME_ORDER_NOT_READY"],
  ["rateLimited", "ACME_RATE_LIMITED"],
  ["rejectedIdentifier", "ACME_REJECTED_IDENTIFIER"],
  ["serverInternal", "ACME_CA_FAILING"],
  ["tls", "ACME_CHALLENGE_TLS"],
  ["unauthorized", "ACME_UNAUTHORIZED"],
  ["unsupportedContact", "ACME_BAD_CONTACT"],
  ["unsupportedIdentifier", "ACME_REJECTED_IDENTIFIER"],
  ["userActionRequired", "ACME_USER_ACTION_REQUIRED"],
];

describe("a refused request", () => {
  const generic = new ProblemError("do it", problem("somethingNew"));

  test.each(REGISTERED)("%s has a code, the CA's words and a remedy of its own", (type, code) => {
    const error = new ProblemError("place an order for a.test", problem(type));
    expect(error.code).toBe(code);
    expect(error.message).toBe("The CA refused to place an order for a.test: the CA's words");
    expect(error.remedy).toMatch(/^[A-Z].*\.$/);
    expect(error.remedy).not.toBe(generic.remedy);
  });

  // A name every object inherits is no entry of ours.
  test.each(["somethingNew", "constructor", "compound", "autoRenewalExpired"])(
    "%s, which says nothing, has the CA's words",
    (type) => {
      const error = new ProblemError("do it", problem(type));
      expect(error.code).toBe("ACME_PROBLEM");
      expect(error.message).toContain("the CA's words");
      expect(error.remedy).toBe(generic.remedy);
    },
  );

  test("shows the address where a person must act", () => {
    const document = { ...problem("userActionRequired"), instance: "https://ca.test/terms" };
    const error = new ProblemError("register an account", document);
    expect(error.code).toBe("ACME_USER_ACTION_REQUIRED");
    expect(error.message).toContain("https://ca.test/terms");
  });

  test.each(["compound", "malformed"])("%s means what its subproblems mean", (type) => {
    const below = (...types: readonly string[]) => {
      const subproblems = types.map((one) => ({ type: `${URN}${one}`, detail: "x", identifier: "a.test" }));
      return new ProblemError("do it", { ...problem(type), subproblems });
    };
    expect(below("rejectedIdentifier", "unsupportedIdentifier").code).toBe("ACME_REJECTED_IDENTIFIER");
    const mixed = below("rejectedIdentifier", "caa", "malformed");
    expect(mixed.code).toBe("ACME_PROBLEM");
    expect(mixed.remedy).toMatch(/CERTBOT_DOMAIN.*CAA records/);
  });
});

test("several failed proofs are named all, and one remedy once", () => {
  const failed = (value: string, type: string, detail: string) => ({
    identifier: { type: "dns", value } as const,
    problem: problem(type, detail),
    records: [],
    isTried: true,
  });
  const same = new ChallengeFailedError([failed("a.test", "dns", "odd"), failed("b.test", "dns", "strange")]);
  expect(same.message).toBe("The CA could not verify a.test: odd | b.test: strange");
  expect(same.code).toBe("ACME_CHALLENGE_DNS");
  expect(same.remedy.match(/record/g)).toHaveLength(1);
  const mixed = new ChallengeFailedError([failed("a.test", "dns", "x"), failed("b.test", "connection", "y")]);
  expect(mixed.code).toBe("ACME_CHALLENGE_FAILED");
  expect(mixed.remedy).toMatch(/record.*port 80/);
});
