import { beforeEach } from "vitest";
import type { Stack } from "./stack.ts";

/** Prints what the stack's services have logged when a test of this file fails; afterwards the stack is gone. */
export function tellOnFailure(stackOf: () => Stack | undefined): void {
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      const { stdout = "", stderr = "" } = (await stackOf()?.compose("logs", "--no-color", "-t", "--tail", "80")) ?? {};
      console.error(stdout + stderr);
    });
  });
}
