#!/usr/bin/env node
/**
 * One HTTP request, for firerunner-agent on the embedded host (the same command as `fr-http`, which needs curl):
 *
 *     fr-http METHOD URL --out FILE [--header-file FILE] [--body-file FILE] [--ca FILE] [--timeout SECONDS]
 *
 * Prints the status code, or 000 when no whole answer came. Exit code 0 with an answer, 1 without, 2 on wrong usage.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

const usage = "usage: fr-http METHOD URL --out FILE [--header-file FILE] [--body-file FILE] [--ca FILE] [--timeout SECONDS]";
const known = ["out", "header-file", "body-file", "ca", "timeout"];

function readArguments(argv) {
  const [method, url, ...rest] = argv;
  if (method === undefined || url === undefined) throw new Error("METHOD and URL are needed");
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new Error("the URL must be http or https");
  const options = {};
  for (let index = 0; index < rest.length; index += 2) {
    const name = rest[index].replace(/^--/, "");
    if (!rest[index].startsWith("--") || !known.includes(name)) throw new Error(`${rest[index]} is not known`);
    if (rest[index + 1] === undefined) throw new Error(`${rest[index]} needs a value`);
    options[name] = rest[index + 1];
  }
  if (options.out === undefined) throw new Error("--out is needed");
  const timeoutS = Number(options.timeout ?? 30);
  if (!(timeoutS > 0)) throw new Error("--timeout must be a number of seconds");
  return { method, url: new URL(url), options, timeoutS };
}

function readHeaders(file) {
  const headers = {};
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return headers;
}

/** Resolves to the status once the whole answer is there; rejects on a network error or after the timeout. */
function send({ method, url, options, timeoutS }) {
  const body = options["body-file"] === undefined ? undefined : readFileSync(options["body-file"]);
  const headers = options["header-file"] === undefined ? {} : readHeaders(options["header-file"]);
  if (body !== undefined) headers["Content-Length"] = body.length;
  const ca = options.ca === undefined ? {} : { ca: readFileSync(options.ca) };
  const open = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request = open(url, { method, headers: { Accept: "*/*", ...headers }, agent: false, ...ca }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        writeFileSync(options.out, Buffer.concat(chunks));
        resolve(response.statusCode);
      });
    });
    request.on("error", reject);
    setTimeout(() => request.destroy(new Error(`no answer in ${timeoutS} s`)), timeoutS * 1000).unref();
    request.end(body);
  });
}

let given;
try {
  given = readArguments(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`fr-http: ${error.message}\n${usage}\n`);
  process.exit(2);
}
try {
  process.stdout.write(`${await send(given)}\n`);
} catch (error) {
  process.stderr.write(`fr-http: ${error.message}\n`);
  process.stdout.write("000\n");
  process.exitCode = 1;
}
