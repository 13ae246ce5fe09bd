import { afterAll, beforeAll, expect, it } from "vitest";
import { systemRandom } from "../control/random.js";
import { MemoryDriver } from "../embedded/host/memory-driver.js";
import { type EmbeddedHost, startEmbeddedHost } from "../embedded/host/start-embedded-host.js";
import { fleetInput, oneOfEach } from "../http/listeners.fixture.js";
import { systemClock } from "../model/clock.js";
import { until } from "../model/until.fixture.js";
import { type CliWorld, startCliWorld } from "./cli-world.fixture.js";

let host: EmbeddedHost;
let world: CliWorld;

beforeAll(async () => {
  host = await startEmbeddedHost({ listen: "127.0.0.1:0", driver: new MemoryDriver(), clock: systemClock, random: systemRandom });
  world = await startCliWorld([]);
  const fleet = {
    ...fleetInput,
    hosts: [{ ...oneOfEach.host, endpoint: host.address }],
    connections: [{ ...oneOfEach.connection, url: world.gitlabUrl }],
    pools: [{ ...oneOfEach.pool, sizes: { small: { vcpu: 1, memoryMb: 1024 } }, minIdle: 1 }],
  };
  expect((await world.run(["apply", "-f", "-"], { input: JSON.stringify(fleet) })).code).toBe(0);
});
afterAll(async () => {
  await world.stop();
  await host.stop();
});

const shown = () => host.microvms().filter(({ state }) => state !== "deleting");
const holdsOne = () => until(() => shown().length === 1, "the host holds the microVM that is kept ready");

it("a real host is emptied by a drain, stays empty, and is used again afterwards", async () => {
  await holdsOne();
  const [first] = shown();
  const { code, out } = await world.run(["drain", "rack-1", "--wait", "--timeout", "1m"]);
  expect(code).toBe(0);
  expect(out).toMatch(/host\/rack-1 drained: nothing is left on it\n$/);
  expect(host.microvms()).toEqual([]);
  expect((await world.run(["get", "hosts"])).out).toMatch(/^rack-1 +\S+ +yes +draining +0\/8 +0\/8 +0M\/16G +\S+ ago$/m);
  await world.run(["uncordon", "rack-1"]);
  await holdsOne();
  expect(shown()[0]?.name).not.toBe(first?.name);
});

it("a host that answers and holds something is not forgotten by mistake, and what was left there is found when it is back", async () => {
  await holdsOne();
  const refused = await world.run(["host", "forget", "rack-1"]);
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^error FR-REFERENCED: host "rack-1" is not forgotten: it answers, and it holds 1 microVM, 0 of them/),
  });
  expect((await world.run(["host", "forget", "rack-1", "--force"])).code).toBe(0);
  await until(() => world.service.store.count("microvm") === 0, "its microVMs count as gone");
  const [left] = shown();
  expect(left).toBeDefined();
  await world.run(["uncordon", "rack-1"]);
  expect((await world.run(["gc"])).code).toBe(0);
  await until(() => !host.microvms().some(({ uid }) => uid === left?.uid), "what was left is removed");
  expect((await world.run(["get", "events"])).out).toMatch(new RegExp(`MicrovmAdopted +microvm/${left?.name} `));
});
