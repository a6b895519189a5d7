import type { Identifier, KeyType, Leaf, OperatorError, OrderSettings } from "../certificate/index.ts";
import type { IgnoredOption } from "../ports/index.ts";
import type { CertificatePair } from "./deploy/target.ts";
import type { LedgerStore } from "./issue/ca/ledger.ts";
import type { IssuedCertificate, OpenOrder } from "./issue/certificate-authority.ts";
import type { LineageState } from "./lineage-state.ts";

/** How a lineage is renewed: the part of certbot's `renewal/<name>.conf` that we act on. */
export type LineageSettings = OrderSettings & {
  readonly accountId?: string | undefined;
  /** certbot's `autorenew`; false: an operator wants it left alone. */
  readonly autorenew: boolean;
  /** certbot's `renew_before_expiry`: how long before its end an operator wants it renewed. */
  readonly renewBeforeMs?: number | undefined;
  /** What certbot's conf asks for and we don't do; absent when there is nothing. It stays in the conf. */
  readonly unsupported?: readonly IgnoredOption[] | undefined;
};

/** One version of a lineage, readable and with a matching key. */
export type LineageVersion = {
  /** certbot's number: `archive/<name>/cert<N>.pem`. */
  readonly version: number;
  /** Its identifiers are those that were ordered, where the CA has added others. */
  readonly leaf: Leaf;
};

/** A lineage as it is on disk. */
export type StoredLineage = {
  readonly name: string;
  /** Absent where there is no `renewal/<name>.conf`, or one that can't be read: see `problem`. */
  readonly settings?: LineageSettings | undefined;
  /** The version that `live/<name>` shows; absent when there is none or it is broken. */
  readonly current?: LineageVersion | undefined;
  /** What is wrong with it on disk, when something is. */
  readonly problem?: OperatorError | undefined;
};

/** What a server is to know of a lineage: it decides nothing itself. */
export type ServedLineage = {
  readonly lineage: string;
  /** The names that are served with it. */
  readonly identifiers: readonly Identifier[];
  /** Whether clients that name no server, or one that nobody knows, get it. One of all lineages is. */
  readonly isDefault: boolean;
  /** Whether browsers may be told to remember HTTPS: it is on disk, and no CA's place for tests has issued it. */
  readonly isReal: boolean;
};

/** Something in `renewal/` that looks like a conf and is no lineage's. */
export type StrayFile = { readonly path: string; readonly reason: string; readonly remedy: string };

/** A new version to be put in place. */
export type NewVersion = {
  readonly lineage: string;
  /** What the order asked for; the leaf must carry all of these. */
  readonly identifiers: readonly Identifier[];
  readonly issued: IssuedCertificate;
  readonly settings: LineageSettings;
};

/** An order whose certificate may be waiting at the CA, and what it was for. */
export type StoredOrder = OpenOrder & {
  readonly schema: 1;
  readonly directoryUrl: string;
  /** Its names, as `exactSetKey` writes them. */
  readonly names: string;
  readonly keyType: KeyType;
  readonly profile?: string | undefined;
  /** The key is the one of the version before (`--reuse-key`). */
  readonly isKeyReused: boolean;
  /** The CA has given its certificate; it could not be installed. */
  readonly isSigned?: boolean | undefined;
  /** When its CSR was about to be sent, in ISO form. */
  readonly sentAt: string;
};

/**
 * `/etc/letsencrypt` as certbot 5 keeps it. One process writes at a time (the lock is the caller's); readers are never
 * shown a half-written version: exactly one `rename` publishes it.
 */
export interface LineageStore extends LedgerStore {
  /**
   * Every lineage with a `renewal/*.conf`, and every one without whose pair in `live/` a CA has issued, by name. Never throws for
   * one bad lineage: it is listed with its `problem`.
   */
  list(): Promise<readonly StoredLineage[]>;
  /** What looks like a conf and is none: an editor's leftovers, copies. Changes nothing. Throws OperatorError. */
  strays(): Promise<readonly StrayFile[]>;
  /**
   * Mends what a death in the middle of `install` left, or a hand in the tree; says what it did. What is `wanted` is mended
   * without a conf, too. May run twice, and must run before `install`.
   */
  recover(wanted?: readonly string[]): Promise<readonly Recovery[]>;
  /** Writes the conf of a version that is shown, where there is none or an empty one. Whether it did. Throws OperatorError. */
  writeMissingConf(about: Omit<NewVersion, "issued">): Promise<boolean>;
  /** Tries what an install asks of the file system, and leaves nothing; to be called before each order. Throws OperatorError. */
  tryFileSystem(lineage: string): Promise<void>;
  /**
   * Writes the files of a new version beside the old, checks them (key belongs to the certificate, names, clock), makes
   * them durable, publishes them by one rename, and records the renewal settings. Gives the version with all names that are in it.
   * Throws OperatorError and leaves the
   * old version as it was on any failure, a full disk included.
   */
  install(version: NewVersion, now: Date): Promise<LineageVersion>;
  /** Makes `live/<name>` show an older or newer version that is still in the archive. May run twice. Throws OperatorError. */
  show(lineage: string, version: number): Promise<LineageVersion>;
  /** The highest readable version below `version`, or undefined. */
  previousVersion(lineage: string, version: number): Promise<LineageVersion | undefined>;
  /** Gives the files of a version the time `now`, so that a server sees that they have changed. Throws OperatorError. */
  touch(lineage: string, version: number, now: Date): Promise<void>;
  /** Key and chain of a version, as they are in its files. Throws OperatorError. */
  pair(lineage: string, version: number): Promise<CertificatePair>;
  /** The private key of a version, PEM; undefined when it can't be read. */
  privateKey(lineage: string, version: number): Promise<string | undefined>;
  /**
   * Our own state of a lineage: a fresh one when there is none, or when what is there makes no sense, which is then kept aside
   * and told. Throws OperatorError when the disk doesn't give it back: without it nobody knows what the CA was asked already.
   */
  loadState(lineage: string): Promise<LineageState>;
  /** Replaces the state durably and atomically. Throws OperatorError. */
  saveState(lineage: string, state: LineageState): Promise<void>;
  /** The order that was not seen through, with its key; undefined when there is none. Throws as {@link loadState}. */
  loadOrder(lineage: string): Promise<StoredOrder | undefined>;
  /** Keeps an order durably, in the place of the one before. Throws OperatorError. */
  saveOrder(lineage: string, order: StoredOrder): Promise<void>;
  /** Forgets it. May run twice. Throws OperatorError. */
  removeOrder(lineage: string): Promise<void>;
  /** Leaves the list that nginx's certificate step reads, a line for each lineage. Writes only a change. */
  saveCertificateList(certificates: readonly ServedLineage[]): Promise<void>;
}

/** Something `recover` mended. */
export type Recovery = { readonly lineage: string; readonly did: string };
