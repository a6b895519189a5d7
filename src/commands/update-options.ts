/** What an operator asks of one run, merged from the command line and CERTBOT_OPTIONS. */
export type UpdateOptions = {
  readonly dryRun: boolean;
  readonly forceRenewal: boolean;
  readonly staging: boolean;
  readonly certName?: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Print failures only. */
  readonly quiet: boolean;
};
