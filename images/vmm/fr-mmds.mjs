#!/usr/bin/env node
/**
 * Answers one request to the metadata service as Firecracker's does, version 1 or 2; QEMU starts it for each connection
 * of a guest:
 *
 *     fr-mmds FILE V1|V2 < REQUEST > ANSWER
 *
 * FILE holds the metadata as JSON. A text is answered as it is, an object by its keys, a line each; with
 * `Accept: application/json` both are JSON. In version 2 a token is needed, which `PUT /latest/api/token` gives.
 */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const [file, version] = process.argv.slice(2);
const content = readFileSync(file, "utf8");
const longestRequest = 16_384;

/** Tokens hold when they end. Whoever reads the metadata may have one: they only keep out what cannot set a header. */
const sign = (until) => `${until}.${createHmac("sha256", content).update(until).digest("hex")}`;

function isValid(token) {
  const [until = ""] = token.split(".");
  return /^\d+$/.test(until) && Number(until) > Date.now() && token === sign(until);
}

function answerTo(head) {
  const [first = "", ...lines] = head.split("\r\n");
  const [method, target = "/"] = first.split(" ");
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  const path = target.replace(/\?.*$/, "").replace(/\/+/g, "/");
  if (method === "PUT" && path === "/latest/api/token") return giveToken(headers.get("x-metadata-token-ttl-seconds"));
  if (method !== "GET") return { status: "405 Method Not Allowed", body: "Not allowed HTTP method." };
  if (version === "V2" && !isValid(headers.get("x-metadata-token") ?? "")) return { status: "401 Unauthorized", body: "No valid token." };
  const found = path
    .split("/")
    .filter((part) => part !== "")
    .reduce((value, part) => (isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined), JSON.parse(content));
  if (found === undefined) return { status: "404 Not Found", body: `Resource not found: ${path}.` };
  if (headers.get("accept") === "application/json") return { status: "200 OK", body: JSON.stringify(found), type: "application/json" };
  if (typeof found === "string") return { status: "200 OK", body: found };
  if (isObject(found))
    return {
      status: "200 OK",
      body: Object.entries(found)
        .map(([key, value]) => (isObject(value) ? `${key}/` : key))
        .join("\n"),
    };
  return { status: "501 Not Implemented", body: "Cannot retrieve value. The value has an unsupported type." };
}

function giveToken(seconds = "") {
  if (!/^\d{1,5}$/.test(seconds) || Number(seconds) < 1 || Number(seconds) > 21_600)
    return { status: "400 Bad Request", body: "Invalid time to live." };
  return { status: "200 OK", body: sign(String(Date.now() + Number(seconds) * 1000)) };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function send({ status, body, type = "text/plain" }) {
  const bytes = Buffer.from(body);
  process.stdout.write(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`);
  process.stdout.write(bytes, () => process.exit(0));
}

let received = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  received += chunk;
  const end = received.indexOf("\r\n\r\n");
  if (end >= 0) send(answerTo(received.slice(0, end)));
  else if (received.length > longestRequest) send({ status: "400 Bad Request", body: "The request is too long." });
});
process.stdin.on("end", () => process.exit(0));
