import { mkdtempSync, rmSync } from "node:fs";
import { createServer, get, Agent as HttpAgent } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import Database from "libsql";
import { CreateMicroVMRequestSchema, MicroVM } from "../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import { grpcService } from "../../proto/grpc.js";
import { jobIdOf, projectId } from "./outside/job-hook.js";

/** A bare HTTP server in this process: it reads a body and answers 200. */
export interface BareListener {
  readonly url: string;
  stop(): void;
}

export async function startBareListener(): Promise<BareListener> {
  const answer = '{"outcome":"hinted"}';
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "application/json", "content-length": answer.length }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** How long each of `count` reads of a job takes with Node's own client on one kept connection, in ms. */
export async function bareReads(gitlabUrl: string, count: number): Promise<readonly number[]> {
  const agent = new HttpAgent({ keepAlive: true });
  const url = `${gitlabUrl}/api/v4/projects/${projectId}/jobs/${jobIdOf(0)}`;
  const read = () =>
    new Promise<void>((resolve, reject) => {
      get(url, { agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
    });
  try {
    return await timed(count, read);
  } finally {
    agent.destroy();
  }
}

/** How long each of `count` Creates takes with a bare client, in ms. */
export async function bareCreates(endpoint: string, count: number): Promise<readonly number[]> {
  const client = new Client(endpoint, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = grpcService(MicroVM).createMicroVM;
  const metadata = { "firerunner-boot": "x".repeat(200), "firerunner-mark": "x".repeat(400) };
  const request = create(CreateMicroVMRequestSchema, {
    microvm: { id: "vm-floor", namespace: "fr-floor", vcpu: 2, memoryInMb: 4096, metadata },
  });
  const call = () =>
    new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) => (error ? reject(error) : resolve()));
    });
  try {
    return await timed(count, call);
  } finally {
    client.close();
  }
}

/** How long each of `count` commits of one row takes, safe on disk, in ms. */
export async function bareCommits(count: number): Promise<readonly number[]> {
  const directory = mkdtempSync(join(tmpdir(), "firerunner-bench-"));
  const database = new Database(join(directory, "floor.db"));
  try {
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE record (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    );
    const insert = database.prepare("INSERT INTO record (key, value) VALUES (?, ?)");
    const value = JSON.stringify({ connection: "harbour", projectId, jobId: jobIdOf(0), firstSeenAt: 1_770_000_000_000 });
    let n = 0;
    return await timed(count, () => void insert.run(`harbour/${projectId}/${jobIdOf(n++)}`, value));
  } finally {
    database.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function timed(count: number, act: () => void | Promise<void>): Promise<readonly number[]> {
  const taken: number[] = [];
  for (let n = 0; n < count; n++) {
    const beganAt = performance.now();
    await act();
    taken.push(performance.now() - beganAt);
  }
  return taken;
}
