import { type Bench, type Figure, latencies, type RunOptions } from "./figure.js";
import { bareCommits, startBareListener } from "./floors.js";
import { jobIdOf } from "./outside/job-hook.js";
import { type OutsideProcess, startOutsideProcess } from "./outside-process.js";
import { type ServiceUnderTest, startServiceUnderTest } from "./service-under-test.js";
import { until } from "./until.js";

const perSecond = 20;

/** Guests claim warm microVMs and wait; jobs come one by one, and a waiting guest is told to run for each. */
export const guestClaim: Bench = {
  name: "guest-claim",
  about: `guests claim warm microVMs and park; Job Hooks at ${perSecond}/s, the n-th hook compared with the n-th guest told to run`,
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const count = smoke ? 20 : 100;
    const outside = await startOutsideProcess({ hosts: 4, guests: true });
    const bare = await startBareListener();
    try {
      const sut = await startServiceUnderTest(outside, count);
      let figures: readonly Figure[];
      try {
        figures = await measure(outside, sut, count);
      } finally {
        await sut.stop();
      }
      const jobs = Array.from({ length: count }, (_, n) => jobIdOf(n));
      const sent = await outside.calls.sendSteadily({ url: bare.url, secret: "none" }, jobs, perSecond * 5);
      const http = sent.map(({ sentAt, answeredAt }) => answeredAt - sentAt);
      return [
        ...figures,
        ...latencies("one bare HTTP call", http, true),
        ...latencies("one bare SQLite commit", await bareCommits(count), true),
      ];
    } finally {
      bare.stop();
      await outside.stop();
    }
  },
};

async function measure({ calls }: OutsideProcess, { service, hooks }: ServiceUnderTest, count: number): Promise<readonly Figure[]> {
  const parked = () => service.store.list("microvm").filter(({ value }) => value.phase === "parked").length;
  await until("the warm microVMs", () => parked() >= count);
  const sent = await calls.sendSteadily(
    hooks,
    Array.from({ length: count }, (_, n) => jobIdOf(n)),
    perSecond,
  );
  await until("the guests' orders", async () => (await calls.seen()).guests.filter(({ runAt }) => runAt !== undefined).length >= count);

  const { guests, runnerMadeAt } = await calls.seen();
  const told = guests.flatMap(({ vm, runAt }) => (runAt === undefined ? [] : [{ vm, runAt }])).toSorted((a, b) => a.runAt - b.runAt);
  const claims = guests.flatMap(({ claimSentAt, claimedAt }) => (claimedAt === undefined ? [] : [claimedAt - claimSentAt]));
  return [
    ...latencies("claim → answer", claims),
    ...latencies(
      "runner made → its parked guest is told to run",
      told.flatMap(({ vm, runAt }) => [runAt - (runnerMadeAt.get(vm) ?? Number.NaN)]),
    ),
    ...latencies(
      "hook → a parked guest is told to run",
      told.slice(0, sent.length).map(({ runAt }, n) => runAt - (sent[n]?.sentAt ?? Number.NaN)),
    ),
  ];
}
