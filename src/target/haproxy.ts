import type { ServedCertificate, Target } from "../reconcile/index.ts";
import { labelInvalid } from "./errors.ts";
import { converge, notKept, type Haproxy } from "./haproxy/converge.ts";
import { pathsBeside } from "./haproxy/crt-list.ts";
import { findRival, type Rival } from "./haproxy/rivals.ts";
import { createRuntimeApi } from "./haproxy/runtime-api.ts";
import type { Place, ServerWords, TargetKind, TargetTools } from "./kind.ts";
import { DEPLOY } from "./labels.ts";
import { explainAlertAlone } from "./tls/alerts.ts";

/** HAProxy in a container, told by its runtime API over a socket on a volume that we share with it: no restart, no reload. */
export const haproxy = {
  name: "haproxy",
  argument: "/var/lib/haproxy/haproxy.sock",
  tlsPort: () => 443,
  make: makeHaproxy,
} satisfies TargetKind;

// It becomes part of commands to the runtime API; a longer one is no address of a socket (unix(7)).
const SOCKET_PATH = /^(?:\/[\w.-]+){2,}$/;
const LONGEST_PATH = 100;

type HaproxyTarget = Target & Required<Pick<Target, "tlsCheck" | "explain" | "settle">>;

function makeHaproxy(place: Place, argument: string, { clock, tlsCheck }: TargetTools): HaproxyTarget {
  const { name, wants, named } = place;
  if (!SOCKET_PATH.test(argument) || argument.length > LONGEST_PATH || argument.includes("/.."))
    throw labelInvalid(name, {
      label: DEPLOY,
      value: `haproxy:${argument}`,
      allowed: `${haproxy.name}:${haproxy.argument}, with the path of HAProxy's runtime socket in a folder that this container mounts at the same path`,
    });
  const paths = pathsBeside(argument);
  const server: Haproxy = { named: place, paths, api: createRuntimeApi({ named: place, paths, clock }) };
  const check = (certificate: ServedCertificate, signal: AbortSignal, rival?: Rival) =>
    tlsCheck(place, { certificate, words: haproxyWords(server, place.port, rival) }, signal);

  return {
    name,
    wants,
    named,
    tlsCheck: (certificate, signal) => check(certificate, signal),
    explain: async (certificate, signal) => {
      const finding = await check(certificate, signal);
      return finding.kind === "served"
        ? finding
        : check(certificate, signal, await findRival(server, certificate, signal));
    },
    // It tests each certificate itself before it takes it.
    check: async (signal) => signal.throwIfAborted(),
    apply: async (behind, signal, whole) => {
      if (behind.length === 0) return new Map();
      return (await converge(server, { give: behind, whole }, signal)).failures;
    },
    settle: async (served, signal, whole) => {
      const give = await notKept(server, served);
      const { failures, leftover } = await converge(server, { give, whole }, signal);
      for (const failure of failures.values()) throw failure;
      if (leftover !== undefined) throw leftover;
    },
  };
}

function haproxyWords({ named: { service }, paths: { crtList } }: Haproxy, port: number, rival?: Rival): ServerWords {
  const bind = `"bind :${port} ssl strict-sni crt-list ${crtList}"`;
  return {
    nothingListens: `Write ${bind} into HAProxy's configuration and restart the service ${service}; where TLS is on another port, set the label cert-sidecar.port.`,
    noCertificate: `Check that HAProxy's configuration has ${bind}, and read docker compose logs ${service}.`,
    isDefault: `Put all IP addresses into one certificate, take strict-sni out of the bind line of ${service}, now that a certificate is there, and restart it.`,
    explainFailure: (certificate, failed) => explainAlertAlone(service, certificate, failed),
    explain: () => rival,
  };
}
