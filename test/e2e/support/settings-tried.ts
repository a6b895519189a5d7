import { rewriteEnv } from "./env-file.ts";
import { until, type Outcome, type Stack } from "./stack.ts";

/** What an operator sees of settings: in `update-cert`, in `docker compose logs certbot`, in `docker ps`. */
export type Sight = {
  readonly update: Outcome;
  /** The error lines of the log. */
  readonly errors: readonly Record<string, unknown>[];
  readonly healthcheck: Outcome;
  /** The container's state and how often it was restarted, `running 0` where all is well. */
  readonly container: string;
};

/** Writes settings into `.env`, has compose act on them as users do, waits for the first error line, and asks. */
export async function trySettings(stack: Stack, settings: Readonly<Record<string, string>>): Promise<Sight> {
  await rewriteEnv(stack, settings);
  await stack.up("certbot");
  const errorLines = async () => (await stack.events()).filter(({ level }) => level === "error");
  await until("the log has an error", async () => ((await errorLines()).length > 0 ? true : undefined));
  const update = await stack.certbot("update-cert");
  const healthcheck = await stack.certbot("healthcheck");
  const container = await stack.inspect("certbot", "{{.State.Status}} {{.RestartCount}}");
  return { update, errors: await errorLines(), healthcheck, container };
}
