import { describe, expect, test } from "vitest";
import { type Problem, problemWords, readProblem } from "../../../src/acme/problem.ts";
import { ChallengeFailedError, ProblemError } from "../../../src/acme/problem-errors.ts";

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

describe("a refused request", () => {
  test.each([
    ["externalAccountRequired", "ACME_EXTERNAL_ACCOUNT_REQUIRED"],
    ["invalidContact", "ACME_BAD_CONTACT"],
    ["unsupportedContact", "ACME_BAD_CONTACT"],
    ["rejectedIdentifier", "ACME_REJECTED_IDENTIFIER"],
    ["caa", "ACME_CAA"],
    ["badNonce", "ACME_BAD_NONCE"],
    ["somethingNew", "ACME_PROBLEM"],
    // A name every object inherits is no entry of ours.
    ["constructor", "ACME_PROBLEM"],
  ])("%s has a code of its own, the CA's words and a remedy", (type, code) => {
    const error = new ProblemError("place an order for a.test", problem(type));
    expect(error.code).toBe(code);
    expect(error.message).toBe("The CA refused to place an order for a.test: the CA's words");
    expect(error.remedy).toMatch(/^[A-Z].*\.$/);
  });

  test("shows the address where a person must act", () => {
    const document = { ...problem("userActionRequired"), instance: "https://ca.test/terms" };
    const error = new ProblemError("register an account", document);
    expect(error.code).toBe("ACME_USER_ACTION_REQUIRED");
    expect(error.message).toContain("https://ca.test/terms");
  });
});

describe("a failed challenge", () => {
  const failed = (value: string, type: string, detail: string) => ({
    identifier: { type: "dns", value } as const,
    problem: problem(type, detail),
  });

  test.each([
    ["connection", "ACME_CHALLENGE_UNREACHABLE", /port 80/],
    ["dns", "ACME_CHALLENGE_DNS", /A or AAAA record/],
    ["unauthorized", "ACME_CHALLENGE_WRONG_ANSWER", /webroot/],
    ["incorrectResponse", "ACME_CHALLENGE_WRONG_ANSWER", /webroot/],
    ["caa", "ACME_CAA", /CAA/],
    ["tls", "ACME_CHALLENGE_TLS", /plain http/],
    ["serverInternal", "ACME_CHALLENGE_FAILED", /mend it/],
  ])("by %s names the name, the CA's words and what to do", (type, code, remedy) => {
    const error = new ChallengeFailedError([failed("a.test", type, "192.0.2.1: Timeout")]);
    expect(error.code).toBe(code);
    expect(error.message).toBe("The CA could not verify a.test: 192.0.2.1: Timeout");
    expect(error.remedy).toMatch(remedy);
  });

  test("names all names that failed, and one remedy once", () => {
    const same = new ChallengeFailedError([failed("a.test", "dns", "NXDOMAIN"), failed("b.test", "dns", "SERVFAIL")]);
    expect(same.message).toBe("The CA could not verify a.test: NXDOMAIN | b.test: SERVFAIL");
    expect(same.code).toBe("ACME_CHALLENGE_DNS");
    const mixed = new ChallengeFailedError([failed("a.test", "dns", "x"), failed("b.test", "connection", "y")]);
    expect(mixed.code).toBe("ACME_CHALLENGE_FAILED");
    expect(mixed.remedy).toMatch(/record.*port 80/);
    expect(same.remedy.match(/record/g)).toHaveLength(1);
  });
});
