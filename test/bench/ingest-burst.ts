import { type Bench, type Figure, latencies, type RunOptions } from "./figure.js";
import { bareCommits, startBareListener } from "./floors.js";
import type { SentHook } from "./outside/hook-sender.js";
import { jobIdOf } from "./outside/job-hook.js";
import { type OutsideProcess, startOutsideProcess } from "./outside-process.js";
import { type ServiceUnderTest, startServiceUnderTest } from "./service-under-test.js";

const connections = 32;
const warmUp = 500;

/** A burst of Job Hooks is taken: each is answered when what it says is safe on disk, while the loop works on those before it. */
export const ingestBurst: Bench = {
  name: "ingest-burst",
  about: `5,000 Job Hooks as fast as ${connections} connections take them, each durable when it is answered; the loop runs`,
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const count = smoke ? 500 : 5_000;
    const jobs = Array.from({ length: warmUp + count }, (_, n) => jobIdOf(n));
    const outside = await startOutsideProcess({ hosts: 10, guests: false });
    try {
      const sut = await startServiceUnderTest(outside);
      let figures: readonly Figure[];
      try {
        figures = await measure(outside, sut, jobs);
      } finally {
        await sut.stop();
      }
      return [...figures, ...(await floors(outside, jobs.slice(warmUp)))];
    } finally {
      await outside.stop();
    }
  },
};

async function measure({ calls }: OutsideProcess, sut: ServiceUnderTest, jobs: readonly number[]): Promise<readonly Figure[]> {
  await calls.sendAtOnce(sut.hooks, jobs.slice(0, warmUp), connections);
  const before = await sut.passes();
  const cpu = process.cpuUsage();
  const sent = await calls.sendAtOnce(sut.hooks, jobs.slice(warmUp), connections);
  const { user, system } = process.cpuUsage(cpu);
  const after = await sut.passes();
  return [
    { name: "hooks taken", value: rate(sent), unit: "/s" },
    ...latencies("hook → 200", sent.map(elapsed)),
    { name: "processor time of the service per hook", value: (user + system) / 1_000 / sent.length, unit: "ms" },
    { name: "passes of its loop meanwhile", value: after.count - before.count, unit: "" },
  ];
}

async function floors({ calls }: OutsideProcess, jobs: readonly number[]): Promise<readonly Figure[]> {
  const bare = await startBareListener();
  const send = () => calls.sendAtOnce({ url: bare.url, secret: "none" }, jobs, connections);
  await send();
  const sent = await send();
  bare.stop();
  const commits = await bareCommits(Math.min(jobs.length, 1_000));
  const commitMs = commits.reduce((sum, ms) => sum + ms, 0) / commits.length;
  return [
    { name: "the same hooks to a bare handler", value: rate(sent), unit: "/s", floor: true },
    ...latencies("the same hooks to a bare handler", sent.map(elapsed), true),
    { name: "bare SQLite commits, one row each", value: 1_000 / commitMs, unit: "/s", floor: true },
  ];
}

const elapsed = ({ sentAt, answeredAt }: SentHook): number => answeredAt - sentAt;

function rate(sent: readonly SentHook[]): number {
  const first = sent.reduce((earliest, { sentAt }) => Math.min(earliest, sentAt), Number.POSITIVE_INFINITY);
  const last = sent.reduce((latest, { answeredAt }) => Math.max(latest, answeredAt), 0);
  return (sent.length * 1_000) / (last - first);
}
