import type { Figures } from "./figures.ts";
import type { LifeResult } from "./simulated-life.ts";

/** A table of how all lives went, a line a lifetime; then what the tries went into, and the seeds that failed. */
export function summarize(results: readonly LifeResult[]): string {
  const lifetimes = [...Map.groupBy(results, ({ lifetimeDays }) => lifetimeDays)].sort(([a], [b]) => a - b);
  const header = [
    "lifetime",
    "lives",
    "failed",
    "renewals",
    "orders/renewal",
    "worst (seed)",
    "tries/renewal",
    "most tries/day",
    "requests/day",
    "most",
    "lapses",
    "overrides",
    "deaths",
    "cpu",
  ];
  const rows = [header, ...lifetimes.map(([days, lives]) => row(days, lives))];
  const widths = header.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const table = rows.map((cells) => cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "));
  const failed = results.filter(({ problems }) => problems.length > 0);
  const failures = failed.map(
    ({ seed, lifetimeDays, problems }) => `seed ${seed}, lifetime ${lifetimeDays}: ${problems[0]}`,
  );
  return ["", ...table, "", triesByCause(results), ...failures, ""].join("\n");
}

function row(days: number, lives: readonly LifeResult[]): string[] {
  const sum = (of: (figures: Figures) => number) => lives.reduce((total, { figures }) => total + of(figures), 0);
  const most = (of: (figures: Figures) => number) => Math.max(...lives.map(({ figures }) => of(figures)));
  const versions = Math.max(
    1,
    sum((figures) => figures.versions),
  );
  const ratio = ({ figures }: LifeResult) => figures.orders / Math.max(1, figures.versions);
  const worst = lives.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
  return [
    `${days} d`,
    String(lives.length),
    String(lives.filter(({ problems }) => problems.length > 0).length),
    String(versions),
    (sum(({ orders }) => orders) / versions).toFixed(2),
    `${ratio(worst).toFixed(2)} (${worst.seed})`,
    (sum(({ tries }) => tries) / versions).toFixed(2),
    String(most(({ mostTriesADay }) => mostTriesADay)),
    (
      sum(({ requests }) => requests) /
      Math.max(
        1,
        sum((figures) => figures.days),
      )
    ).toFixed(1),
    String(most(({ mostRequestsADay }) => mostRequestsADay)),
    String(sum(({ lapses }) => lapses)),
    String(sum(({ overrides }) => overrides)),
    String(sum(({ deaths }) => deaths)),
    `${(sum(({ cpuMs }) => cpuMs) / 1000).toFixed(0)} s`,
  ];
}

function triesByCause(results: readonly LifeResult[]): string {
  const causes = new Map<string, number>();
  for (const { figures } of results) {
    for (const [cause, count] of Object.entries(figures.triesDuring)) {
      causes.set(cause, (causes.get(cause) ?? 0) + count);
    }
  }
  const sorted = [...causes].sort(([, a], [, b]) => b - a);
  return `tries while this was wrong: ${sorted.map(([cause, count]) => `${cause} ${count}`).join(", ")}`;
}
