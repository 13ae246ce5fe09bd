import { type Bench, type Figure, latencies, type RunOptions } from "./figure.js";
import { bareCommits, startBareListener } from "./floors.js";
import type { SentHook } from "./outside/hook-sender.js";
import { jobIdOf } from "./outside/job-hook.js";
import { startOutsideProcess } from "./outside-process.js";
import { startServiceUnderTest } from "./service-under-test.js";

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
    const bare = await startBareListener();
    try {
      const sut = await startServiceUnderTest(outside);
      try {
        await outside.calls.sendAtOnce(sut.hooks, jobs.slice(0, warmUp), connections);
        const before = await sut.passes();
        const cpu = process.cpuUsage();
        const sent = await outside.calls.sendAtOnce(sut.hooks, jobs.slice(warmUp), connections);
        const { user, system } = process.cpuUsage(cpu);
        const after = await sut.passes();
        const bareSent = async () => outside.calls.sendAtOnce({ url: bare.url, secret: "none" }, jobs.slice(warmUp), connections);
        await sut.stop();
        return [
          { name: "hooks taken", value: rate(sent), unit: "/s" },
          ...latencies("hook → 200", sent.map(elapsed)),
          { name: "processor time of the service per hook", value: (user + system) / 1_000 / count, unit: "ms" },
          { name: "passes of its loop meanwhile", value: after.count - before.count, unit: "" },
          ...(await floors(bareSent, count)),
        ];
      } finally {
        await sut.stop();
      }
    } finally {
      bare.stop();
      await outside.stop();
    }
  },
};

async function floors(send: () => Promise<readonly SentHook[]>, count: number): Promise<readonly Figure[]> {
  await send();
  const sent = await send();
  const beganAt = performance.now();
  await bareCommits(count);
  const commits = (count * 1_000) / (performance.now() - beganAt);
  return [
    { name: "the same hooks to a bare handler", value: rate(sent), unit: "/s", floor: true },
    ...latencies("the same hooks to a bare handler", sent.map(elapsed), true),
    { name: "bare SQLite commits, one row each", value: commits, unit: "/s", floor: true },
  ];
}

const elapsed = ({ sentAt, answeredAt }: SentHook): number => answeredAt - sentAt;

function rate(sent: readonly SentHook[]): number {
  const first = sent.reduce((earliest, { sentAt }) => Math.min(earliest, sentAt), Number.POSITIVE_INFINITY);
  const last = sent.reduce((latest, { answeredAt }) => Math.max(latest, answeredAt), 0);
  return (sent.length * 1_000) / (last - first);
}
