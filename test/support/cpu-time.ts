/** The processor's time that something takes, in milliseconds, which a busy machine doesn't change; whether it throws doesn't matter. */
export async function cpuMsOf(act: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await Promise.resolve()
    .then(act)
    .catch(() => undefined);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
