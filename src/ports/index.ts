export type { CaaLookup, CaaRecord, DnsLookup, TxtLookup } from "./dns.ts";
export type { HttpExchange, HttpReply, HttpRequest, TooLong } from "./http.ts";
export type { LocalCommand, LocalResult, RunLocal } from "./process.ts";
