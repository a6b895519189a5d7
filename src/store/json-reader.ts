/** Where fields that make no sense are named: they are left out of what is read, and somebody is told. */
export type LeftOut = string[];

type Json = Readonly<Record<string, unknown>>;

/**
 * One JSON object of a file that an operator may have edited: a field that is absent or null is undefined, and so is one
 * that makes no sense, which is also named in the list of what was left out. No call throws.
 */
export class JsonReader {
  readonly #json: Json;
  readonly #path: string;
  readonly #leftOut: LeftOut;

  constructor(json: object, path: string, leftOut: LeftOut) {
    this.#json = json as Json;
    this.#path = path;
    this.#leftOut = leftOut;
  }

  text(name: string): string | undefined {
    return this.#read(name, (value) => (typeof value === "string" ? value : undefined));
  }

  flag(name: string): boolean | undefined {
    return this.#read(name, (value) => (typeof value === "boolean" ? value : undefined));
  }

  /** A whole number from 0. */
  count(name: string): number | undefined {
    return this.#read(name, (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined));
  }

  /** An instant, as `Date.toISOString` writes it, however it was typed. */
  instant(name: string): string | undefined {
    return this.#read(name, (value) => {
      // Date reads "1" and "May" as instants, too.
      if (typeof value !== "string" || !/^[+-]?\d{4,6}-\d\d-\d\d/.test(value)) return undefined;
      const instant = new Date(value);
      return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString();
    });
  }

  oneOf<const Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    return this.#read(name, (value) => choices.find((choice) => choice === value));
  }

  object(name: string): JsonReader | undefined {
    return this.#read(name, (value) => this.#inner(value, name));
  }

  /** What `parse` makes of an inner object; one that it can make nothing of is left out as a whole. */
  parsed<Parsed>(name: string, parse: (json: JsonReader) => Parsed | undefined): Parsed | undefined {
    return this.#read(name, (value) => {
      const inner = this.#inner(value, name);
      return inner && parse(inner);
    });
  }

  /** What `parse` makes of each object in a list; those that it can make nothing of are left out. */
  list<Parsed>(name: string, parse: (json: JsonReader) => Parsed | undefined): Parsed[] {
    const items = this.#read(name, (value): readonly unknown[] | undefined =>
      Array.isArray(value) ? value : undefined,
    );
    const inner = new JsonReader(items ?? [], `${this.#path}${name}.`, this.#leftOut);
    return inner.#entries(parse).map(([, parsed]) => parsed);
  }

  /** What `parse` makes of each object in an inner one, by name, where it can make something of any. */
  record<Parsed>(name: string, parse: (json: JsonReader) => Parsed | undefined): Record<string, Parsed> | undefined {
    const inner = this.object(name);
    const known = inner ? inner.#entries(parse) : [];
    return known.length === 0 ? undefined : Object.fromEntries(known);
  }

  texts(name: string): readonly string[] | undefined {
    const isText = (value: unknown) => typeof value === "string";
    return this.#read(name, (value) => (Array.isArray(value) && value.every(isText) ? value : undefined));
  }

  #entries<Parsed>(parse: (json: JsonReader) => Parsed | undefined): [string, Parsed][] {
    return Object.keys(this.#json).flatMap((name) => {
      const parsed = this.parsed(name, parse);
      return parsed === undefined ? [] : [[name, parsed]];
    });
  }

  #inner(value: unknown, name: string): JsonReader | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return new JsonReader(value, `${this.#path}${name}.`, this.#leftOut);
  }

  #read<Value>(name: string, parse: (value: unknown) => Value | undefined): Value | undefined {
    const value = Object.hasOwn(this.#json, name) ? this.#json[name] : undefined;
    if (value === undefined || value === null) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) this.#leftOut.push(this.#path + name);
    return parsed;
  }
}

/** Gives parts back of which none may lack; undefined where one does. */
export function whole<Parts extends object>(parts: Parts): Whole<Parts> | undefined {
  return Object.values(parts).includes(undefined) ? undefined : (parts as Whole<Parts>);
}

type Whole<Parts> = { [Name in keyof Parts]: Exclude<Parts[Name], undefined> };

/** Reads a file's text as one JSON object of schema 1. Throws an Error that says why it isn't one. */
export function readJson(text: string, leftOut: LeftOut): JsonReader {
  const json: unknown = JSON.parse(text);
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  const reader = isObject ? new JsonReader(json, "", leftOut) : undefined;
  if (reader?.count("schema") !== 1) throw new Error("it is nothing that this version wrote");
  return reader;
}
