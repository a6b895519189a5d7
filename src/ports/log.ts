/** Every event that a log line can carry, `noun.past-verb`, and what has happened: docs/events.md says it. */
export const LOG_EVENTS = {
  "account.key-changed": "An account has a new key (`rotate-account-key`); `accounts/set-aside/` keeps the old one.",
  "account.registered": "A new account at the CA; it is kept in `accounts/`.",
  "account.replaced": "The CA no longer takes our account: it is set aside, another or a new one takes its place.",
  "account.unavailable":
    "No account could be had at the fallback CA, which is asked for one before it is needed; tried again the next day.",
  "attempt.deferred": "A certificate is wanted, but the last try failed and the next one must wait (`until`).",
  "attempt.interrupted": "The sidecar was stopped in the middle of an order; it counts as a failed try.",
  "authorization.reused": "The CA still has a valid proof for a name.",
  "ca.answering": "A CA that was failing answers again: the order goes out now, whatever the back-off says.",
  "ca.fallback-chosen": "The first CA has been failing for too long: the order goes to `CERTBOT_FALLBACK_SERVER`.",
  "chain.not-offered": "The CA doesn't offer the chain of `--preferred-chain`; its default is used.",
  "challenge.cleanup-failed": "A challenge file could not be taken away.",
  "challenge.presented": "A challenge file is in the webroot.",
  "challenge.validated": "The CA has seen the proof for a name.",
  "check.finished": "A check of all certificates has ended; `nextAt`: when something is due.",
  "check.started": "A check of all certificates begins; `trigger` says why.",
  "clock.wrong": "This machine's clock is far from the CA's. Set it right (NTP).",
  "command.finished": "A client's command has ended, with its exit code.",
  "command.received": "A client asks for a command.",
  "conf.stray":
    "A file in `renewal/` looks like a certificate's conf and is none: rename or delete it. Nothing else is wrong.",
  "configuration.rejected": "`nginx -t` fails; nginx goes on as before. `lineages`: ours that are why, now put back.",
  "configuration.tested": "`nginx -t` has passed.",
  "daemon.started": "The sidecar has started.",
  "daemon.stopped": "The sidecar has stopped.",
  "deploy.failed": "A certificate on disk is not served by a target after a try.",
  "deploy.postponed": "No target can be reached; certificates wait for it.",
  "docker.connected": "The Docker engine's events are being followed (again).",
  "docker.lost": "The connection to the Docker engine is lost; it is made anew.",
  "docker.socket-replaced":
    "The engine's socket was replaced on the host: the sidecar ends once, so that its restart policy mounts the new one.",
  "limit.overridden": "A certificate is about to lapse: the order goes out though our count of the limit forbids it.",
  "lineage.converted": "A real folder `live/<name>` was made a link, so that versions change in one step.",
  "lineage.failed": "No new version of a certificate could be had, or one can't be read.",
  "lineage.issued": "The first version of a certificate is on disk.",
  "lineage.names-added":
    "The CA has put names into a certificate that were not ordered: it is used, they are not asked for.",
  "lineage.renewed": "A new version of a certificate is on disk.",
  "lineage.repaired":
    "What an interruption left on disk was mended, or files that nginx took for older ones got a new time.",
  "lineage.restored": "A target refused a new version: the one before is back in place.",
  "lineage.shown": "A version that a target had refused is shown again, in the place of an order.",
  "listener.failed": "What hears of each run has failed or taken too long; the run itself is not touched by it.",
  "lock.acquired": "This sidecar is the one that acts on this folder.",
  "lock.awaited": "Another sidecar acts on this folder; this one waits.",
  "lock.denied": "The lock could not be had, as when the folder can't be written; it is tried again.",
  "lock.lost": "The lock was taken away from us; everything stops until it is there again.",
  "option.ignored": "An option or setting has no effect here; `because` says why.",
  "order.created": "An order was placed at the CA.",
  "order.finalized": "The CA signs.",
  "order.given-up": "An order of an earlier try comes to nothing: the CA says so, or left it undecided for too long.",
  "order.resumed": "An order of an earlier try is gone on with, in place of a new one.",
  "profile.not-offered": "The CA doesn't offer the profile of `--preferred-profile`; its default is used.",
  "rehearsal.passed": "`--dry-run`: the order went through; nothing was changed.",
  "renewal-info.changed":
    "The CA suggests when to renew (ARI): the window, our moment in it; `warn` where it says why.",
  "renewal-info.failed": "The CA's suggestion (ARI) could not be read: what is known stays. Asked again at `nextAt`.",
  "replacement.refused": "The CA doesn't take the order as a renewal of the one before; it is placed as a new one.",
  "request.repeated": "A request to the CA failed and is made again.",
  "schedule.slow": "`CERTBOT_SCHEDULE` checks less than six times in a certificate's life. Renewals stay on time.",
  "self-check.failed": "nginx doesn't show a challenge as the CA will want it. Advice: the CA is asked all the same.",
  "self-check.passed": "nginx shows the challenge.",
  "settings.refused":
    "The settings have mistakes. What is on disk goes on by its own conf; nothing that the wrong words would change is done.",
  "signal.received": "SIGHUP (check now), SIGTERM or SIGINT (stop).",
  "state.repaired":
    "A file below `sidecar/` made no sense: that part is left out, or all is kept aside and begun anew.",
  "state.unsaved": "What has happened could not be written down below `sidecar/`.",
  "storage.ephemeral": "What is written to `/etc/letsencrypt` goes with the container: no order at a public CA.",
  "target.reloaded": "A target was told to take over its configuration.",
  "target.served": "A target presents the certificate on disk: seen by a TLS handshake for each name on each listener.",
  "target.skipped": "A target is left out, as it serves no HTTPS: a warning where no operator has asked for that.",
  "target.told":
    "A target whose TLS port nobody has named was given the certificate on disk; what it serves is not checked.",
  "target.unreached":
    "A target speaks TLS on a further address that can't be asked from here, as one of loopback: it isn't checked there.",
  "target.unsettled":
    "A target serves what it should, and might not after a restart. The next check tries to mend that.",
} as const;

/** One of {@link LOG_EVENTS}. */
export type LogEvent = keyof typeof LOG_EVENTS;

/** Values of a log line; they are never part of its text. Dates are written in ISO form. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where state changes are told. `error`: somebody must act. `warn`: it will retry by itself. `info`: state changed.
 * `debug`: steps. Safe to call at any time; never throws.
 */
export type Log = Readonly<Record<LogLevel, (event: LogEvent, fields?: LogFields) => void>>;

export type LogLevel = "error" | "warn" | "info" | "debug";

/** A log that tells each line to all of `logs`. */
export function teeLog(...logs: readonly Log[]): Log {
  const tell = (level: LogLevel) => (event: LogEvent, fields?: LogFields) => {
    for (const log of logs) log[level](event, fields);
  };
  return { error: tell("error"), warn: tell("warn"), info: tell("info"), debug: tell("debug") };
}
