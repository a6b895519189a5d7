import { createPrivateKey } from "node:crypto";
import { KEY_TYPES } from "../certificate/index.ts";
import type { StoredOrder } from "../reconcile/index.ts";
import { type LeftOut, readJson } from "./json-reader.ts";

/** Reads an order that was not seen through. Throws an Error when a part of it is missing, or its key can't be read. */
export function parseOrder(text: string, leftOut: LeftOut): StoredOrder {
  const json = readJson(text, leftOut);
  const order = {
    schema: 1,
    url: wanted("url", json.text("url")),
    privateKeyPem: wanted("privateKeyPem", json.text("privateKeyPem")),
    isReplacement: json.flag("isReplacement") ?? false,
    isKeyReused: json.flag("isKeyReused") ?? false,
    directoryUrl: wanted("directoryUrl", json.text("directoryUrl")),
    names: wanted("names", json.text("names")),
    keyType: wanted("keyType", json.oneOf("keyType", KEY_TYPES)),
    profile: json.text("profile"),
    isSigned: json.flag("isSigned"),
    sentAt: wanted("sentAt", json.instant("sentAt")),
  } as const;
  createPrivateKey(order.privateKeyPem);
  return order;
}

function wanted<Value>(name: string, value: Value | undefined): Value {
  if (value === undefined) throw new Error(`it has no ${name}`);
  return value;
}
