import type { X509Certificate } from "node:crypto";

/**
 * Whether Pebble finds the order of a certificate that another is to replace. It keeps serial numbers as plain numbers and looks for
 * them as DER writes them, so it answers 500 over one of 256: those that DER begins with a zero byte.
 */
export function pebbleFinds({ serialNumber }: X509Certificate): boolean {
  return Number.parseInt(serialNumber.slice(0, 2), 16) < 0x80;
}
