import type { Identifier } from "../certificate/index.ts";
import { ConfigurationRejectedError, type ServedCertificate, type Target } from "../reconcile/index.ts";
import { couldNotStart, outputOf } from "./docker/exec.ts";
import { certificateStepFailed, commandMissing, reloadFailed } from "./errors.ts";
import type { Place, ServerWords, TargetKind, TargetTools } from "./kind.ts";
import { explainAlert } from "./nginx-alerts.ts";
import {
  askNginx,
  explainBySays,
  filesCommand,
  readFiles,
  readSays,
  SAYS_COMMAND,
  type NginxSays,
} from "./nginx-files.ts";
import { listeningOf, type Listening } from "./nginx-listeners.ts";
import { OUR_FOLDER, whyHttpsIsOff } from "./nginx-off.ts";
import { nginxPorts } from "./nginx-settings.ts";

/** nginx in a container: our own or any other, told by `nginx -t` and `nginx -s reload`. */
export const nginx = {
  name: "nginx",
  tlsPort: (container) => nginxPorts(container).tls,
  httpPort: (container) => nginxPorts(container).http,
  whyOff: whyHttpsIsOff,
  make: makeNginx,
} satisfies TargetKind;

// Our own nginx folder has this script; a foreign nginx has none and reads the files at the paths it was given. A failure of
// the script is always 1, so that 126 and 127 say that there is no shell and therefore no script.
const STEP = `${OUR_FOLDER}/certificate-step.sh`;
const STEP_COMMAND = ["/bin/sh", "-c", `[ ! -f ${STEP} ] || /bin/sh ${STEP} "$@" || exit 1`, "step"];
const TEST_COMMAND = ["nginx", "-t"];
const RELOAD_COMMAND = ["nginx", "-s", "reload"];

/** What is known of how it serves, until a reload changes it. */
type Known = { readonly says: NginxSays; readonly listening?: Listening | undefined };

function makeNginx(
  place: Place,
  _argument: string,
  tools: TargetTools,
): Target & Required<Pick<Target, "tlsCheck" | "explain">> {
  const { exec, tlsCheck, log } = tools;
  const { name, wants, address, port, others = [] } = place;
  let known: Promise<Known> | undefined;
  let files: Promise<NginxSays["files"]> | undefined;

  const ask = async (signal: AbortSignal): Promise<Known> => {
    const says = readSays(await askNginx(place, tools, { argv: SAYS_COMMAND, signal }));
    const listening = says.servers && listeningOf(says.servers, { address, port, addresses: [address, ...others] });
    for (const listener of listening?.unreached ?? [])
      log?.debug("target.unreached", { target: name, address: listener });
    return { says, listening };
  };

  const askFiles = async (signal: AbortSignal) => {
    const argv = known && filesCommand((await known).says);
    return argv ? readFiles(await askNginx(place, tools, { argv, signal })) : [];
  };

  const check = async (certificate: ServedCertificate, signal: AbortSignal, seen: NginxSays["files"] = []) => {
    const { says, listening } = await (known ??= ask(signal));
    const words = nginxWords(place, { ...says, files: seen }, listening);
    const listenersOf = listening && ((one: Identifier) => listening.listenersOf(certificate.lineage, one));
    return tlsCheck(place, { certificate, words, ...(listenersOf && { listenersOf }) }, signal);
  };

  return {
    name,
    wants,
    tlsCheck: (certificate, signal) => check(certificate, signal),
    explain: async (certificate, signal) => {
      const finding = await check(certificate, signal);
      return finding.kind === "served" ? finding : check(certificate, signal, await (files ??= askFiles(signal)));
    },
    check: async (signal, onTrial = []) => {
      const step = await exec(place, [...STEP_COMMAND, ...onTrial], signal);
      if (step.exitCode !== 0 && !couldNotStart(step)) throw certificateStepFailed(place, outputOf(step));
      const test = await exec(place, TEST_COMMAND, signal);
      if (couldNotStart(test)) throw commandMissing(place, TEST_COMMAND, outputOf(test));
      if (test.exitCode !== 0) throw new ConfigurationRejectedError(name, outputOf(test));
    },
    // An exit code of 0 says that the master was signalled, no more: whether it took the certificate is seen by a TLS check.
    apply: async (behind, signal) => {
      if (behind.length === 0) return new Map();
      const reload = await exec(place, RELOAD_COMMAND, signal);
      if (reload.exitCode !== 0) throw reloadFailed(place, outputOf(reload));
      known = undefined;
      files = undefined;
      return new Map();
    },
  };
}

/** What is to say where it serves something else; `says`: what it says of that itself, as far as it was asked. */
export function nginxWords(
  { service, port }: Pick<Place, "service" | "port">,
  says: NginxSays,
  listening?: Listening,
): ServerWords {
  return {
    nothingListens: `Leave NGINX_HTTPS_ENABLED empty or set it to true and run docker compose up -d ${service}; where TLS is on another port, set NGINX_SSL_PORT or the label cert-sidecar.port.`,
    noCertificate: `Check in the configuration of ${service} that the port ${port} speaks TLS and that a server block has this name.`,
    isDefault: `Put all IP addresses into one certificate, and let no other server of ${service} be the default_server of its TLS port.`,
    explainFailure: (certificate, failed) => explainAlert(listening, { service, certificate }, failed),
    explain: (certificate) => explainBySays(says, { service, port }, certificate),
  };
}
