import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTool } from "../../../images/agent/agent.fixture.js";
import { type GuestListener, startGuestListener } from "../../../images/agent/guest-listener.fixture.js";
import { createGrpcFlintlock } from "../../flintlock/grpc/create-grpc-flintlock.js";
import { createRequest, hostAt } from "../../flintlock/grpc/create-request.fixture.js";
import type { FlintlockPort } from "../../flintlock/port.js";
import { systemClock } from "../../model/clock.js";
import { until } from "../../model/until.fixture.js";
import { type TestFolder, testFolder } from "./guest.fixture.js";
import { createProcessDriver } from "./process-driver.js";
import { seededRandom } from "./seeded-random.js";
import { type EmbeddedHost, startEmbeddedHost } from "./start-embedded-host.js";

const timings = { buildMs: 1, removeMs: 1 };
const coreutils = "base64 cat chmod date env head mkdir mkfifo mv od rm sha256sum sleep sync tail tr wc".split(" ");

let folder: TestFolder;
let reconciler: GuestListener;
let flintlock: FlintlockPort;
let host: EmbeddedHost;
let path: string | undefined;

beforeEach(async () => {
  folder = testFolder();
  reconciler = await startGuestListener();
  flintlock = createGrpcFlintlock({ clock: systemClock, random: seededRandom(), resolveSecret: () => "" });
  // The least that FireRunner promises to work with.
  const bin = join(folder.path, "usr-bin");
  mkdirSync(bin);
  for (const tool of ["sh", "bash", "git", "node", ...coreutils]) symlinkSync(findTool(tool), join(bin, tool));
  path = process.env.PATH;
  process.env.PATH = bin;
  const runner = folder.script(
    "runner",
    'while [ "$1" != --token-file ]; do shift; done\necho "Starting runner for x"\necho "Checking for jobs... received"\nwhile [ -e "$2" ]; do sleep 0.02; done',
  );
  const driver = createProcessDriver({ directory: join(folder.path, "host"), random: seededRandom(), programs: { runner } });
  host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver, clock: systemClock, random: seededRandom(), timings });
});

afterEach(async () => {
  process.env.PATH = path;
  await flintlock.stop();
  await host.stop();
  await reconciler.stop();
  folder.remove();
});

describe("an embedded host with process VMs, over real gRPC", () => {
  it("boots a guest that claims and ends, says CREATED of it still, and leaves nothing after Delete", async () => {
    const at = hostAt(host.address);
    const boot = `v=1\nvm=vm-abcdefghijab\nnonce=${"ab".repeat(32)}\nurl=${reconciler.url}\nca=\n`;
    const { uid } = await flintlock.create(createRequest(at, { metadata: { "firerunner-boot": boot } }));
    await reconciler.until(() => reconciler.of("done").length > 0, "the end of the job");
    await until(() => !(host.microvms()[0]?.running ?? true), "the end of the VM");
    expect(reconciler.of("claim")).toHaveLength(1);
    expect(await flintlock.get(at, uid)).toMatchObject({ state: "created", retry: 0 });
    expect(host.microvms()).toMatchObject([{ uid, name: "vm-abcdefghijab", state: "created", running: false }]);
    expect(existsSync(join(folder.path, "host", uid))).toBe(true);
    expect(await flintlock.delete(at, uid)).toBe("accepted");
    await until(async () => (await flintlock.get(at, uid)) === undefined, "the end of the record");
    expect(readdirSync(join(folder.path, "host"))).toEqual([]);
  });

  it("ends a guest in the middle of its claim with Delete", async () => {
    const at = hostAt(host.address);
    const boot = `v=1\nvm=vm-abcdefghijab\nnonce=n\nurl=http://127.0.0.1:1\nca=\n`;
    const { uid } = await flintlock.create(createRequest(at, { metadata: { "firerunner-boot": boot } }));
    await until(() => host.microvms()[0]?.running === true, "the boot");
    await flintlock.delete(at, uid);
    await until(async () => (await flintlock.get(at, uid)) === undefined, "the end of the record");
    expect(host.microvms()).toEqual([]);
    expect(readdirSync(join(folder.path, "host"))).toEqual([]);
  });
});
