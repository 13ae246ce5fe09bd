import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import type { Bag } from "./handlers/handler.js";
import { loaderOf, type ResourceType } from "./resource-types.js";

/** The engine's process for dynamic resources, running the constant loader against this package's source. */
export interface ProviderProcess {
  call(method: "check" | "diff" | "create" | "read" | "update" | "delete", request: Readonly<Record<string, unknown>>): Promise<Bag>;
  /** What it wrote after its port. */
  output(): string;
  kill(signal: NodeJS.Signals): Promise<number | null>;
  stop(): Promise<void>;
}

/** What a call that failed was answered with, and what it says was done nevertheless. */
export interface Failure {
  readonly message: string;
  readonly partly: { readonly id: string; readonly properties: Bag; readonly reasons: readonly string[] } | undefined;
}

const require = createRequire(import.meta.url);
// The SDK's wire classes come without types of their own for what is used here.
const wire = {
  provider: require("@pulumi/pulumi/proto/provider_pb"),
  service: require("@pulumi/pulumi/proto/provider_grpc_pb"),
  status: require("@pulumi/pulumi/proto/status_pb"),
  struct: createRequire(require.resolve("@pulumi/pulumi"))("google-protobuf/google/protobuf/struct_pb"),
};
const readyMs = 30_000;

/** Every bag that goes in carries the loader of its type, as a state does. */
export const withLoader = (type: ResourceType, bag: Bag): Bag => ({ ...bag, __provider: loaderOf(type) });

/** Starts it in a project of its own, with a configuration as the engine hands it over. */
export async function startProviderProcess(
  config: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv = {},
): Promise<ProviderProcess> {
  const project = mkdtempSync(join(tmpdir(), "fr-provider-"));
  const installed = join(project, "node_modules", "firerunner");
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, "package.json"), JSON.stringify({ name: "firerunner", exports: { "./dynamic": "./dynamic.js" } }));
  const source = fileURLToPath(new URL("./dynamic.ts", import.meta.url));
  writeFileSync(join(installed, "dynamic.js"), `module.exports = require(${JSON.stringify(source)});`);
  const child = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), require.resolve("@pulumi/pulumi/cmd/dynamic-provider"), "127.0.0.1:1"],
    {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: project, PULUMI_NODEJS_PROJECT: "a-project", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const end = async (): Promise<void> => {
    await exitOf(child, () => child.kill("SIGKILL"));
    rmSync(project, { recursive: true, force: true });
  };
  const port = await firstLine(child).catch(async (caught: unknown) => {
    await end();
    throw new Error(`the provider process did not start: ${output}`, { cause: caught });
  });
  const client = new wire.service.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const request = new wire.provider.ConfigureRequest();
  request.setArgs(wire.struct.Struct.fromJavaScript(config));
  await new Promise<void>((resolve, reject) =>
    client.configure(request, (error: ServiceError | null) => (error === null ? resolve() : reject(error))),
  );

  return {
    call: (method, fields) =>
      new Promise((resolve, reject) => {
        client[method](requestOf(method, fields), (error: ServiceError | null, answer: { toObject(): Bag }) => {
          if (error === null) resolve(answerOf(method, answer));
          else reject(Object.assign(new Error(error.details), { partly: partlyOf(error) }));
        });
      }),
    output: () => output,
    kill: (signal) => exitOf(child, () => child.kill(signal)),
    async stop() {
      client.close();
      await end();
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error("it has no output");
    const timer = setTimeout(() => reject(new Error(`nothing within ${readyMs / 1000} s`)), readyMs);
    createInterface({ input: child.stdout }).once("line", (line) => {
      clearTimeout(timer);
      resolve(line);
    });
    child.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
  });
}

function exitOf(child: ChildProcess, ask: () => void): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once("exit", (code) => resolve(code));
    ask();
  });
}

function requestOf(method: string, fields: Readonly<Record<string, unknown>>): unknown {
  const request = new wire.provider[`${method[0]?.toUpperCase()}${method.slice(1)}Request`]();
  for (const [field, value] of Object.entries(fields)) {
    request[`set${field[0]?.toUpperCase()}${field.slice(1)}`](typeof value === "object" ? wire.struct.Struct.fromJavaScript(value) : value);
  }
  return request;
}

// biome-ignore lint/suspicious/noExplicitAny: the SDK's generated messages have no types here
function answerOf(method: string, answer: any): Bag {
  const bag = (struct: { toJavaScript(): Bag } | undefined) => struct?.toJavaScript();
  if (method === "check") return { inputs: bag(answer.getInputs()), failures: answer.toObject().failuresList };
  if (method === "diff") {
    return { changes: answer.getChanges(), replaces: answer.getReplacesList(), deleteBeforeReplace: answer.getDeletebeforereplace() };
  }
  if (method === "delete") return {};
  return {
    ...(method === "update" ? {} : { id: answer.getId() }),
    ...(method === "read" ? { inputs: bag(answer.getInputs()) } : {}),
    properties: bag(answer.getProperties()),
  };
}

function partlyOf(error: ServiceError): Failure["partly"] {
  const [details] = error.metadata.get("grpc-status-details-bin");
  if (!(details instanceof Uint8Array)) return undefined;
  const [any] = wire.status.Status.deserializeBinary(details).getDetailsList();
  const failed = wire.provider.ErrorResourceInitFailed.deserializeBinary(any.getValue_asU8());
  return { id: failed.getId(), properties: failed.getProperties().toJavaScript(), reasons: failed.getReasonsList() };
}
