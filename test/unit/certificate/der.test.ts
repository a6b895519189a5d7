import { expect, test } from "vitest";
import { der } from "../../../src/certificate/index.ts";

const { integer, octets, setOf } = der;
const hex = (bytes: Buffer) => bytes.toString("hex");

test.each([
  [0, "020100"],
  [127, "02017f"],
  [128, "02020080"],
  [2048, "02020800"],
  [0xffff, "020300ffff"],
])("%i is no negative number, and has no byte too many", (number, expected) => {
  expect(hex(integer(number))).toBe(expected);
});

test.each([
  [0, "0400"],
  [127, "047f"],
  [128, "048180"],
  [255, "0481ff"],
  [256, "04820100"],
  [65_536, "0483010000"],
])("a length of %i is written as short as can be", (length, head) => {
  expect(hex(octets(Buffer.alloc(length)))).toBe(head + "00".repeat(length));
});

test("a set is sorted, whoever made it", () => {
  const [one, two] = [octets(Buffer.of(9)), octets(Buffer.of(1, 1))];
  expect(setOf(two, one)).toEqual(setOf(one, two));
  expect(hex(setOf(two, one))).toBe("310704010904020101");
});
