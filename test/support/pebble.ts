import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "./docker-command.ts";
import { IMAGES } from "./images.ts";
import { makeTestCertificate } from "./test-ca.ts";

/** How a {@link Pebble} behaves. */
export type PebbleOptions = {
  /** Port that Pebble asks for HTTP-01 proofs, at whatever address a name resolves to. */
  readonly httpPort: number;
  /** Per cent of requests answered badNonce (default 15). */
  readonly nonceRejectPercent?: number;
  /** Per cent of valid authorizations that a new order finds again (default 0). */
  readonly authorizationReusePercent?: number;
  /** Lifetime of a certificate in seconds (default 90 days). */
  readonly lifetimeS?: number;
  /** Profiles and their lifetimes in seconds (default: one, `default`, of `lifetimeS`). Of several, one must be asked for. */
  readonly profiles?: Readonly<Record<string, number>>;
  /** Requires external account binding; MAC keys in base64url by key id (default: none is required). */
  readonly externalAccountKeys?: Readonly<Record<string, string>>;
  /** Roots beside the first one, each an alternate chain of every certificate (default 0). */
  readonly alternateRoots?: number;
  /** A Docker network to stand in as `pebble` and `challtestsrv` (default: Docker's own bridge, no names). */
  readonly network?: string;
};

/** Let's Encrypt's test CA, with a DNS server of its own, each in a container. */
export type Pebble = {
  /** The directory as this machine reaches it, on loopback. */
  readonly directoryUrl: string;
  /** The directory as a container on the same network reaches it. */
  readonly networkDirectoryUrl: string;
  /** The root that signs Pebble's own HTTPS; also in the file `caFile`. */
  readonly caPem: string;
  readonly caFile: string;
  /** This machine's address as Pebble sees it: every name resolves to it until `setAddress` says otherwise. */
  readonly hostAddress: string;
  /** Makes one name resolve to an IPv4 address. */
  setAddress(name: string, address: string): Promise<void>;
  /** Makes one name have these TXT records, and no others. */
  setTexts(name: string, values: readonly string[]): Promise<void>;
  /** Makes lookups of one name fail with SERVFAIL. */
  setServfail(name: string): Promise<void>;
  /** The root that signs the certificates Pebble issues: another at each start; those after 0 are alternate roots. */
  issuingRootPem(index?: number): Promise<string>;
  /** What is answered from now on when renewal information is asked for a certificate: `answer` as it is, sense or nonsense. */
  setRenewalInfo(certificatePem: string, answer: string): Promise<void>;
  /** What Pebble printed so far. */
  logs(): Promise<string>;
  stop(): Promise<void>;
};

const DIRECTORY_PORT = 14000;
const MANAGEMENT_PORT = 15000;
const DNS_PORT = 8053;
const DNS_MANAGEMENT_PORT = 8055;
const START_DEADLINE_MS = 60_000;

/** Starts Pebble, strict, without validation delay. Throws with its log when it does not answer in 20 s. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const suffix = randomBytes(4).toString("hex");
  const names = { pebble: `test-pebble-${suffix}`, dns: `test-challtestsrv-${suffix}` };
  const folder = await mkdtemp(join(tmpdir(), "pebble-"));
  const stop = async () => {
    await docker("rm", "-f", "-v", names.pebble, names.dns).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const caPem = await writeConfiguration(folder, options);
    await startDns(names.dns, options.network ?? "bridge");
    const dnsAddress = await ownNetwork(names.dns, "IPAddress");
    await startCa(names.pebble, folder, `${dnsAddress}:${DNS_PORT}`, options);
    // The gateway of a running container: Docker 20's own bridge does not tell its gateway.
    const hostAddress = await ownNetwork(names.dns, "Gateway");
    return await describe({ names, folder, caPem, hostAddress, stop });
  } catch (error) {
    const log = await docker("logs", names.pebble).catch(() => "");
    await stop();
    throw new Error(`Pebble did not start: ${String(error)} ${log}`, { cause: error });
  }
}

async function writeConfiguration(folder: string, options: PebbleOptions): Promise<string> {
  const names = ["DNS:localhost", "DNS:pebble", "IP:127.0.0.1"];
  const { caPem, certificatePem, keyPem } = await makeTestCertificate(names);
  // One profile only unless asked: with several and none asked for, Pebble draws one.
  const lifetimes = options.profiles ?? { default: options.lifetimeS ?? 90 * 24 * 3600 };
  const profiles = Object.entries(lifetimes).map(([name, validityPeriod]) => [
    name,
    { description: `tests: ${validityPeriod} s`, validityPeriod },
  ]);
  const pebble = {
    listenAddress: `0.0.0.0:${DIRECTORY_PORT}`,
    managementListenAddress: `0.0.0.0:${MANAGEMENT_PORT}`,
    certificate: "/pebble/leaf.pem",
    privateKey: "/pebble/leaf.key",
    httpPort: options.httpPort,
    tlsPort: 5001,
    retryAfter: { authz: 1, order: 1 },
    profiles: Object.fromEntries(profiles),
    ...(options.externalAccountKeys && {
      externalAccountBindingRequired: true,
      externalAccountMACKeys: options.externalAccountKeys,
    }),
  };
  await writeFile(join(folder, "ca.pem"), caPem);
  await writeFile(join(folder, "leaf.pem"), certificatePem);
  await writeFile(join(folder, "leaf.key"), keyPem);
  await writeFile(join(folder, "config.json"), JSON.stringify({ pebble }));
  return caPem;
}

async function startDns(name: string, network: string): Promise<void> {
  const dnsOnly = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", ""];
  const place = ["--name", name, ...at(network, "challtestsrv"), "-p", `127.0.0.1::${DNS_MANAGEMENT_PORT}`];
  await docker("run", "-d", "--rm", ...place, IMAGES.challtestsrv, ...dnsOnly);
}

function ownNetwork(container: string, field: "IPAddress" | "Gateway"): Promise<string> {
  return docker("inspect", container, "-f", `{{range .NetworkSettings.Networks}}{{.${field}}}{{end}}`);
}

async function startCa(name: string, folder: string, dnsServer: string, options: PebbleOptions): Promise<void> {
  const environment = {
    PEBBLE_VA_NOSLEEP: 1,
    PEBBLE_WFE_NONCEREJECT: options.nonceRejectPercent ?? 15,
    PEBBLE_AUTHZREUSE: options.authorizationReusePercent ?? 0,
    PEBBLE_ALTERNATE_ROOTS: options.alternateRoots ?? 0,
  };
  const variables = Object.entries(environment).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const ports = ["-p", `127.0.0.1::${DIRECTORY_PORT}`, "-p", `127.0.0.1::${MANAGEMENT_PORT}`];
  const place = ["--name", name, ...at(options.network ?? "bridge", "pebble"), "-v", `${folder}:/pebble:ro`];
  const flags = ["-config", "/pebble/config.json", "-strict", "-dnsserver", dnsServer];
  await docker("run", "-d", "--rm", ...place, ...ports, ...variables, IMAGES.pebble, ...flags);
}

// Docker's own bridge knows no aliases, and refuses to be asked for one.
function at(network: string, alias: string): string[] {
  return ["--network", network, ...(network === "bridge" ? [] : ["--network-alias", alias])];
}

type Started = {
  readonly names: { readonly pebble: string; readonly dns: string };
  readonly folder: string;
  readonly caPem: string;
  readonly hostAddress: string;
  readonly stop: () => Promise<void>;
};

async function describe(started: Started): Promise<Pebble> {
  const { names, folder, caPem, hostAddress, stop } = started;
  const ca = await publishedAt(names.pebble, DIRECTORY_PORT);
  const management = await publishedAt(names.pebble, MANAGEMENT_PORT);
  const dns = await publishedAt(names.dns, DNS_MANAGEMENT_PORT);
  const tellDns = async (path: string, body: object) => {
    const response = await fetch(`http://${dns}/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`challtestsrv answered ${response.status} to ${path}`);
  };
  const directoryUrl = `https://${ca}/dir`;
  await untilAnswered(directoryUrl, caPem);
  await tellDns("set-default-ipv4", { ip: hostAddress });
  return {
    directoryUrl,
    networkDirectoryUrl: `https://pebble:${DIRECTORY_PORT}/dir`,
    caPem,
    caFile: join(folder, "ca.pem"),
    hostAddress,
    setAddress: (name, address) => tellDns("add-a", { host: `${name}.`, addresses: [address] }),
    setTexts: async (name, values) => {
      await tellDns("clear-txt", { host: `${name}.` });
      for (const value of values) await tellDns("set-txt", { host: `${name}.`, value });
    },
    setServfail: (name) => tellDns("set-servfail", { host: `${name}.` }),
    issuingRootPem: (index = 0) => exchange(`https://${management}/roots/${index}`, { ca: caPem }),
    setRenewalInfo: (certificatePem, answer) =>
      setRenewalInfo({ origin: `https://${management}`, caPem }, certificatePem, answer),
    logs: () => docker("logs", names.pebble),
    stop,
  };
}

/** Where a Pebble is told things: its management port, and the root that signs its HTTPS. */
export type PebbleManagement = { readonly origin: string; readonly caPem: string };

/** Has a Pebble answer so from now on when renewal information is asked for a certificate: `answer` as it is, sense or nonsense. */
export async function setRenewalInfo(
  { origin, caPem }: PebbleManagement,
  certificatePem: string,
  answer: string,
): Promise<void> {
  const body = JSON.stringify({ Certificate: certificatePem, ARIResponse: answer });
  await exchange(`${origin}/set-renewal-info/`, { ca: caPem, body });
}

function publishedAt(container: string, port: number): Promise<string> {
  return docker("port", container, `${port}/tcp`);
}

async function untilAnswered(url: string, caPem: string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      await exchange(url, { ca: caPem });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** GETs, or POSTs a body, and gives the text of the answer. */
function exchange(url: string, { ca, body }: { readonly ca: string; readonly body?: string }): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const method = body === undefined ? "GET" : "POST";
  // Pebble answers 400 to a request without a User-Agent.
  const options = { ca, method, agent: false, timeout: 30_000, headers: { "User-Agent": "tests" } } as const;
  const outgoing = request(url, options, (incoming) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (chunk: string) => (text += chunk));
    incoming.on("end", () =>
      incoming.statusCode === 200 ? resolve(text) : reject(new Error(`${url}: ${incoming.statusCode} ${text}`)),
    );
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error(`${url}: no answer`)));
  outgoing.on("error", reject);
  outgoing.end(body);
  return promise;
}
