import { asOperatorError, mapLimited, type OperatorError } from "../certificate/index.ts";
import type { Target } from "../reconcile/index.ts";
import { copiedPaths, putCopies, seeCopy } from "./copy.ts";
import type { Place, ServerWords, TargetTools, ToldSpot } from "./kind.ts";
import { explainAlertAlone } from "./tls/alerts.ts";

/** Tells a container that there is something new. `isServed`: whether it serves all of it by now, as far as TLS can say. */
export type Tell = (isServed: () => Promise<boolean>, signal: AbortSignal) => Promise<void>;

const CERTIFICATES_AT_ONCE = 4;

/**
 * A target that has no test of its configuration: what it is to have is put into it where a label says so, then it is told. What it
 * serves by TLS is the proof where a label gives the port; else that it was told, and that its files are there. One that doesn't
 * run is given its files.
 */
export function toldTarget(spot: ToldSpot, tools: TargetTools, tell: Tell): Target {
  const { name, wants, named, place, copy } = spot;
  const isUp = spot.container.status === "running";
  const tlsCheck = place && tlsCheckOf(spot, place, tools);
  return {
    name,
    wants,
    named,
    isCostly: true,
    ...(tlsCheck && { tlsCheck }),
    ...(copy && { keeps: (version, signal) => seeCopy({ ...spot, copy }, tools, { version, signal }) }),
    check: async (signal) => signal.throwIfAborted(),
    apply: async (behind, signal) => {
      signal.throwIfAborted();
      const failures = copy ? await putCopies({ ...spot, copy }, tools, { versions: behind, signal }) : NO_FAILURES;
      const left = behind.filter(({ lineage }) => !failures.has(lineage));
      const isServed = async () => {
        if (!tlsCheck) return false;
        const findings = await mapLimited(left, CERTIFICATES_AT_ONCE, (version) => tlsCheck(version, signal));
        return findings.every(({ kind }) => kind === "served");
      };
      if (left.length > 0 && (isUp || (await hasStarted(spot, tools, signal)))) await tell(isServed, signal);
      return failures;
    },
  };
}

// What starts later reads what it finds then.
async function hasStarted(spot: ToldSpot, tools: TargetTools, signal: AbortSignal): Promise<boolean> {
  try {
    await tools.look(spot, signal);
    return true;
  } catch (thrown) {
    if (asOperatorError(thrown).code === "TARGET_NOT_RUNNING") return false;
    throw thrown;
  }
}

const NO_FAILURES: ReadonlyMap<string, OperatorError> = new Map();

function tlsCheckOf({ copy }: ToldSpot, place: Place, tools: TargetTools): NonNullable<Target["tlsCheck"]> {
  const { service, port, startTls } = place;
  const goesOver = startTls === undefined ? "speaks TLS from its first byte" : `goes over to TLS as ${startTls} does`;
  const words: ServerWords = {
    nothingListens: `Read docker compose logs ${service}, and check that it listens on ${port}: its label cert-sidecar.port says that this is where it does.`,
    noCertificate: `Check in the configuration of ${service} that the port ${port} ${goesOver}.`,
    isDefault: `Put all IP addresses into one certificate, and let ${service} show that to whoever names no server.`,
    explainFailure: (certificate, failed) => explainAlertAlone(service, certificate, failed),
    explain: ({ lineage }) => {
      if (!copy) return undefined;
      const paths = copiedPaths(copy, lineage).join(" and ");
      const remedy = `Check that ${service} reads ${paths}, where the certificate is put, and that what the label cert-sidecar.deploy asks for makes it read that anew.`;
      return { because: "", remedy };
    },
  };
  return (certificate, signal) => tools.tlsCheck(place, { certificate, words }, signal);
}
