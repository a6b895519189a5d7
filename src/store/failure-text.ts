import type { Failure } from "../certificate/index.ts";
import { type JsonReader, whole } from "./json-reader.ts";

/** Reads a failure; undefined unless all of it is there. */
export function parseFailure(json: JsonReader): Failure | undefined {
  return whole({ code: json.text("code"), message: json.text("message"), remedy: json.text("remedy") });
}
