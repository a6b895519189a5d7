/**
 * Numbers in [0, 1) that are the same for the same seed (mulberry32). The seed is printed with `what` it is for; a failure is
 * repeated with CERT_SIDECAR_SEED.
 */
export function seededRandom(what: string): () => number {
  const given = process.env["CERT_SIDECAR_SEED"];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  if (!Number.isInteger(seed)) throw new Error(`CERT_SIDECAR_SEED="${given}" is no whole number`);
  console.info(`${what}: CERT_SIDECAR_SEED=${seed}`);
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
