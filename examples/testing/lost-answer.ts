/**
 * A Create whose answer is lost: is your client left with no microVM, one or two? Run it with
 *
 *     npx tsx lost-answer.ts
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { startEmbeddedHost } from "firerunner/testing";

interface Answer {
  readonly microvm?: readonly { readonly spec: { readonly id: string; readonly uid: string } }[];
}

// The API's description comes with the package; any client of your own does as well.
const proto = join(dirname(createRequire(import.meta.url).resolve("firerunner/package.json")), "proto");
const wire = loadPackageDefinition(
  loadSync("services/microvm/v1alpha1/microvms.proto", { includeDirs: [proto], keepCase: true }),
) as unknown as { microvm: { services: { api: { v1alpha1: { MicroVM: ServiceClientConstructor } } } } };

const host = await startEmbeddedHost();
const client = new wire.microvm.services.api.v1alpha1.MicroVM(host.address, credentials.createInsecure());

function call(method: "CreateMicroVM" | "ListMicroVMs", request: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = client[method]?.bind(client) ?? assert.fail(`there is no ${method}`);
    send(request, (error: Error | null, answer: Answer) => (error === null ? resolve(answer) : reject(error)));
  });
}

const microvm = {
  id: "build-1",
  namespace: "mine",
  kernel: { image: "registry.example/kernel:6.1", filename: "boot/vmlinux" },
  root_volume: { id: "root", source: { container_source: "registry.example/root:1" } },
  interfaces: [{ device_id: "eth1", type: "TAP", guest_mac: "02:00:00:00:00:01" }],
};

try {
  // The next call is carried out, and then its connection is cut.
  host.dial({ lostAnswers: { calls: 1, how: "cut" } });
  await assert.rejects(call("CreateMicroVM", { microvm }), /UNAVAILABLE/);

  // Create is not idempotent: whoever repeats it blindly has two. Ask by name first.
  const { microvm: found = [] } = await call("ListMicroVMs", { namespace: "mine", name: "build-1" });
  assert.equal(found.length, 1);
  assert.equal(host.microvms().length, 1);
  console.log(`the answer was lost, and ${found[0]?.spec.id} is there once, as ${found[0]?.spec.uid}`);
} finally {
  client.close();
  await host.stop();
}
