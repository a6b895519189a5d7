/** A certificate's life, as its `notBefore` and `notAfter` say it. */
export type Validity = { readonly notBefore: Date; readonly notAfter: Date };

/** Length of a certificate's life in milliseconds; 0 for one that ends before it begins. */
export function lifetimeMs(life: Validity): number {
  return Math.max(0, life.notAfter.getTime() - life.notBefore.getTime());
}

/** The instant at which `fractionLeft` (0 to 1) of the life remains. */
export function markAt(life: Validity, fractionLeft: number): Date {
  return new Date(life.notAfter.getTime() - lifetimeMs(life) * fractionLeft);
}
