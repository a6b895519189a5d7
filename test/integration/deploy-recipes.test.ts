import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createHandMadeProject, type HandMadeProject } from "../support/compose-nginx.ts";
import { deployOnce } from "../support/deploy-once.ts";
import { docker } from "../support/docker-command.ts";
import { IMAGES } from "../support/images.ts";
import { newVersion } from "../support/lineage-tree.ts";
import { poll } from "../support/poll.ts";
import { makeTestCertificate } from "../support/test-ca.ts";
import { openTestStore, type TestStore } from "../support/test-store.ts";

const IMAGE = "cert-sidecar-test/recipes";

// How each server comes up in one container; as whom it reads its key.
const SERVERS: Readonly<Record<string, { readonly user: string; readonly script: string }>> = {
  Postfix: {
    user: "root",
    script: `postconf -e maillog_file=/dev/stdout smtpd_tls_chain_files=/etc/postfix/tls.pem smtpd_tls_security_level=may
postconf -F 'smtp/inet/chroot=n'; exec postfix start-fg`,
  },
  Dovecot: {
    user: "root",
    script: `cat > /etc/dovecot/local.conf <<'END'
ssl = yes
ssl_server_cert_file = /etc/dovecot/cert.pem
ssl_server_key_file = /etc/dovecot/key.pem
log_path = /dev/stderr
END
exec dovecot -F`,
  },
  Mosquitto: {
    user: "mosquitto",
    script: `printf '%s\\n' 'listener 8883' 'certfile /certs/cert.pem' 'keyfile /certs/key.pem' 'allow_anonymous true' > /tmp/conf
exec mosquitto -c /tmp/conf`,
  },
  PostgreSQL: {
    user: "postgres",
    script: `cd /tmp; bin=$(echo /usr/lib/postgresql/*/bin); [ -d /tmp/data ] || su postgres -c "$bin/initdb -D /tmp/data"
exec su postgres -c "exec $bin/postgres -D /tmp/data -c listen_addresses='*' -c ssl=on -c ssl_cert_file=/certs/cert.pem -c ssl_key_file=/certs/key.pem"`,
  },
  Tomcat: {
    user: "root",
    script: `cat > /etc/tomcat11/server.xml <<'END'
<Server port="-1"><Service name="Catalina"><Connector port="8443" SSLEnabled="true"><SSLHostConfig>
<Certificate certificateKeystoreFile="/certs/tls.p12" certificateKeystorePassword="changeit" />
</SSLHostConfig></Connector><Engine name="Catalina" defaultHost="localhost"><Host name="localhost" /></Engine></Service></Server>
END
export CATALINA_HOME=/usr/share/tomcat11 CATALINA_BASE=/var/lib/tomcat11; exec $CATALINA_HOME/bin/catalina.sh run`,
  },
};

/** The rows of the page's table. */
function recipes() {
  const page = readFileSync(new URL("../../docs/other-servers.md", import.meta.url), "utf8");
  const rows = page
    .slice(page.indexOf("## Recipes"))
    .matchAll(/^\| (\w+) +\| `(\w+(?::.+?)?)` +\| `(.+?)` +\| `(.+?)` +\|$/gm);
  return [...rows].map(([, server = "", deploy = "", copy = "", port = ""]) => ({ server, deploy, copy, port }));
}

test("the page has a recipe for each server that is tried", () => {
  expect(recipes().map(({ server }) => server)).toEqual(Object.keys(SERVERS));
});

describe.runIf(process.env["CERT_SIDECAR_FULL"])("the recipe", () => {
  let project: HandMadeProject;
  let tree: TestStore;
  beforeAll(buildImage, 600_000);
  beforeEach(async () => {
    tree = await openTestStore();
    await renew();
    project = await createHandMadeProject(await makeTestCertificate(["DNS:a.test"]));
  });
  afterEach(() => project.remove());

  const renew = () => tree.store.install(newVersion("a.test"), new Date());

  const deploy = async () => {
    const { reports, missing } = await deployOnce({ project: project.name, tree });
    return reports[0]?.failure?.message ?? missing?.message ?? reports[0]?.outcome;
  };

  const untilServed = async () => {
    let last: string | undefined;
    const isServed = async () => (last = await deploy()) === "served";
    await poll("it is served", isServed, 120_000).catch((cause: unknown) => {
      throw new Error(last, { cause });
    });
  };

  const deployAtOnce = async () => {
    expect(await deploy()).toBe("deployed");
    expect(await deploy()).toBe("served");
  };

  test.each(recipes())(
    "for $server has it serve the first certificate, and the next one, restarted only where it says so",
    async (recipe) => {
      const { user = "", script = "" } = SERVERS[recipe.server] ?? {};
      const ids = ["-u", "-g"].map((what) => docker("run", "--rm", "--entrypoint", "id", IMAGE, what, user));
      const labels = {
        "cert-sidecar.deploy": recipe.deploy,
        "cert-sidecar.certificates": "a.test",
        "cert-sidecar.copy": recipe.copy.replace(/owner=.*/, `owner=${(await Promise.all(ids)).join(":")}`),
        "cert-sidecar.port": recipe.port,
      };
      const more = ["--restart", "always", "--stop-signal", "SIGTERM", "--volume", "/certs"];
      const id = await project.start({ service: "other", image: IMAGE, argv: ["sh", "-c", script], labels, more });
      const startedAt = () => docker("inspect", "-f", "{{.State.StartedAt}}", id);
      await untilServed();
      const before = await startedAt();
      await renew();
      const isRestarted = recipe.deploy === "restart";
      await (isRestarted ? untilServed() : deployAtOnce());
      expect((await startedAt()) !== before).toBe(isRestarted);
    },
    600_000,
  );
});

async function buildImage(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "recipes-"));
  try {
    await writeFile(
      join(folder, "Dockerfile"),
      `FROM ${IMAGES.nginx}
RUN mkdir -p /usr/share/man/man1 && apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postfix dovecot-imapd mosquitto postgresql tomcat11 && rm -rf /var/lib/apt/lists/*
`,
    );
    await docker("build", "-q", "-t", IMAGE, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
