import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MicroVMSpecSchema } from "../../proto/gen/types/microvm_pb.js";
import { systemRandom } from "../../reconciler/control/random.js";
import { firecrackerConfig } from "../../reconciler/embedded/host/firecracker-config.js";
import { kernelArguments, recordedVmm, withoutDevices } from "../../reconciler/embedded/host/recorded.fixture.js";
import { type WireClient, wireClient } from "../../reconciler/embedded/host/wire-client.fixture.js";
import { createGrpcFlintlock } from "../../reconciler/flintlock/grpc/create-grpc-flintlock.js";
import { createRequest, hostAt } from "../../reconciler/flintlock/grpc/create-request.fixture.js";
import type { CreateRequest, FlintlockPort, HostMicrovm } from "../../reconciler/flintlock/port.js";
import { ImageStore } from "../../reconciler/images/image-store.js";
import { runTool } from "../../reconciler/images/run-tool.js";
import { systemClock } from "../../reconciler/model/clock.js";
import type { Host } from "../../reconciler/model/host.js";
import { beginWorld } from "../e2e/begin-world.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { type Flintlockd, startFlintlockd } from "./flintlockd.fixture.js";
import { describeFlintlockd } from "./world.fixture.js";

interface Calls {
  readonly flintlockd: Flintlockd;
  readonly port: FlintlockPort;
  readonly wire: WireClient;
  readonly host: Host;
  readonly image: CreateRequest["image"];
  stop(): Promise<void>;
}

const namespace = "fr-test";

/** An image that is pulled and unpacked like any other, and never booted. */
async function storeOfSmall(directory: string): Promise<ImageStore> {
  const store = new ImageStore(join(directory, "store"));
  mkdirSync(join(directory, "small", "boot"), { recursive: true });
  writeFileSync(join(directory, "small", "boot", "vmlinux"), "no kernel");
  const layer = join(directory, "small.tar");
  await runTool("tar", ["-cf", layer, "-C", join(directory, "small"), "."], { limitMs: 30_000 });
  await store.add({ name: "small", layer, arch: "amd64", labels: {}, date: 0, sbom: "{}" });
  return store;
}

describeFlintlockd("calls to a real flintlockd", () => {
  let calls: Calls;
  beforeAll(async () => {
    calls = await beginWorld("calls", async (directory, atEnd) => {
      const flintlockd = await startFlintlockd(directory, atEnd, "stay");
      const port = createGrpcFlintlock({ clock: systemClock, random: systemRandom, resolveSecret: () => "" });
      atEnd(() => port.stop());
      const wire = wireClient(flintlockd.endpoint);
      atEnd(() => wire.close());
      const small = await flintlockd.push(await storeOfSmall(directory), "small");
      const usual = createRequest(hostAt(flintlockd.endpoint));
      const image = { ...usual.image, kernel: { ...usual.image.kernel, image: small }, rootfs: { ...usual.image.rootfs, image: small } };
      return { flintlockd, port, wire, host: usual.host, image };
    });
  });
  afterAll(() => calls?.stop());

  const create = (name: string) => {
    const usual = createRequest(calls.host, { image: calls.image });
    return calls.port.create({ ...usual, microvm: { ...usual.microvm, name } });
  };
  /** What the host shows of it; undefined while it cannot be asked: it is silent for seconds while it removes, and when it has just begun. */
  const look = async (uid: string): Promise<{ readonly shown: HostMicrovm | undefined } | undefined> => {
    try {
      return { shown: await calls.port.get(calls.host, uid) };
    } catch (caught) {
      expect(caught).toMatchObject({ retryable: true });
      return undefined;
    }
  };
  const untilShown = (uid: string, what: string, isSo: (shown: HostMicrovm | undefined) => boolean) =>
    until(
      `microVM ${uid} is ${what}`,
      async () => {
        const seen = await look(uid);
        return seen !== undefined && isSo(seen.shown) && seen;
      },
      { deadlineMs: 120_000, everyMs: 200, tell: calls.flintlockd.lastWords },
    );
  const untilGone = (uid: string) => untilShown(uid, "gone", (shown) => shown === undefined);
  const untilCreated = (uid: string) => untilShown(uid, "CREATED", (shown) => shown?.state === "created");
  /** As the service does it: whether the host took a Delete to heart is seen by the microVM. */
  const removeUntilGone = (uid: string) =>
    until(
      `microVM ${uid} is gone`,
      async () => {
        await calls.port.delete(calls.host, uid).catch((caught: unknown) => expect(caught).toMatchObject({ retryable: true }));
        const seen = await look(uid);
        return seen !== undefined && seen.shown === undefined;
      },
      { deadlineMs: 120_000, everyMs: 1_000, tell: calls.flintlockd.lastWords },
    );
  /** Its taps are another matter: it forgets those of what was deleted while it was built. */
  const noMonitorLeft = () => until("no monitor is left", () => calls.flintlockd.monitors().size === 0);

  it("a built microVM is shown, and its monitor started, as it was recorded and as the embedded host does it", async () => {
    const { uid } = await create("vm-shown");
    await untilCreated(uid);
    const answer = (await calls.wire.call("GetMicroVM", { uid })) as { ok: { microvm: { [key: string]: JsonValue } } };
    const { version, spec, status } = answer.ok.microvm;
    expect(version).toBe(2);
    expect(withoutDevices(status)).toBe(withoutDevices(recordedVmm.status_when_created.status));
    const written = JSON.parse(calls.flintlockd.file(uid, "firecracker.cfg"));
    const devices = written["network-interfaces"].map((each: { host_dev_name: string }) => each.host_dev_name);
    const twin = firecrackerConfig(fromJson(MicroVMSpecSchema, spec as JsonValue), {
      kernel: written["boot-source"].kernel_image_path,
      rootDisk: written.drives[0].path_on_host,
      device: (id) => devices[id === "eth0" ? 0 : 1],
    }) as typeof written;
    const { logger: _log, metrics: _metrics, "boot-source": boot, ...rest } = written;
    const { "boot-source": twinBoot, ...twinRest } = twin;
    expect(twinRest).toEqual(rest);
    expect(kernelArguments(twinBoot.boot_args)).toEqual(kernelArguments(boot.boot_args));
    await removeUntilGone(uid);
  });

  it("a Delete while it builds may be lost; deleting again is what helps", async () => {
    const uids = await Promise.all(["vm-lost-1", "vm-lost-2", "vm-lost-3"].map(async (name) => (await create(name)).uid));
    expect(await Promise.all(uids.map((uid) => calls.port.delete(calls.host, uid)))).toEqual(["accepted", "accepted", "accepted"]);
    for (const uid of uids) await removeUntilGone(uid);
    await noMonitorLeft();
  });

  it("of six Deletes at once some come late, and lists may fail meanwhile; all are gone in the end", async () => {
    const uids = await Promise.all([1, 2, 3, 4, 5, 6].map(async (n) => (await create(`vm-late-${n}`)).uid));
    for (const uid of uids) await untilCreated(uid);
    const deletes = uids.map((uid) => calls.port.delete(calls.host, uid));
    const lists = await Promise.allSettled([1, 2, 3, 4].map(() => calls.port.list(calls.host, namespace)));
    for (const list of lists) if (list.status === "rejected") expect(list.reason).toMatchObject({ retryable: true });
    await Promise.all(deletes);
    for (const uid of uids) await untilGone(uid);
    expect(await calls.port.list(calls.host, namespace)).toEqual([]);
    await noMonitorLeft();
  });

  it("a monitor that died is CREATED still, and is started again at the next resync", async () => {
    const { uid } = await create("vm-dead");
    await untilCreated(uid);
    const pid = await until("it has a monitor", () => calls.flintlockd.monitors().get(uid));
    process.kill(pid, "SIGKILL");
    await until("the monitor is gone", () => calls.flintlockd.monitors().get(uid) !== pid);
    expect((await calls.port.get(calls.host, uid))?.state).toBe("created");
    await until("there is another", () => calls.flintlockd.monitors().get(uid));
    await removeUntilGone(uid);
    await noMonitorLeft();
  });

  it("a daemon that was killed knows its microVMs when it is back, and they ran on", async () => {
    const { uid } = await create("vm-outlives");
    await untilCreated(uid);
    const pid = await until("it has a monitor", () => calls.flintlockd.monitors().get(uid));
    await calls.flintlockd.kill();
    await expect(calls.port.get(calls.host, uid)).rejects.toMatchObject({ code: "FR-HOST-UNREACHABLE" });
    await calls.flintlockd.bringUp();
    await untilCreated(uid);
    expect(calls.flintlockd.monitors().get(uid)).toBe(pid);
    await removeUntilGone(uid);
    await noMonitorLeft();
  });

  it("what cannot be pulled is PENDING without a reason, and its Delete waits for the next try", async () => {
    const usual = createRequest(calls.host);
    const { uid } = await calls.port.create(usual);
    await untilShown(uid, "tried", (shown) => (shown?.retry ?? 0) > 0);
    expect(await calls.port.get(calls.host, uid)).toMatchObject({ state: "pending", retry: 1 });
    expect(await calls.port.delete(calls.host, uid)).toBe("accepted");
    expect(await calls.port.get(calls.host, uid)).toMatchObject({ state: "deleting", retry: 0 });
    await untilGone(uid);
  });
});
