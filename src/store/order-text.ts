import { createPrivateKey } from "node:crypto";
import { KEY_TYPES } from "../certificate/index.ts";
import type { StoredOrder } from "../reconcile/index.ts";
import { type LeftOut, readRecord } from "./loose-record.ts";

/** Reads an order that was not seen through. Throws an Error when a part of it is missing, or its key can't be read. */
export function parseOrder(text: string, leftOut: LeftOut): StoredOrder {
  const record = readRecord(text, leftOut);
  const order = {
    schema: 1,
    url: wanted("url", record.text("url")),
    privateKeyPem: wanted("privateKeyPem", record.text("privateKeyPem")),
    isReplacement: record.flag("isReplacement") ?? false,
    isKeyReused: record.flag("isKeyReused") ?? false,
    directoryUrl: wanted("directoryUrl", record.text("directoryUrl")),
    names: wanted("names", record.text("names")),
    keyType: wanted("keyType", record.oneOf("keyType", KEY_TYPES)),
    profile: record.text("profile"),
    sentAt: wanted("sentAt", record.instant("sentAt")),
  } as const;
  createPrivateKey(order.privateKeyPem);
  return order;
}

function wanted<Value>(name: string, value: Value | undefined): Value {
  if (value === undefined) throw new Error(`it has no ${name}`);
  return value;
}
