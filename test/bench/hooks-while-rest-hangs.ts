import { type Bench, type Figure, latencies, type RunOptions } from "./figure.js";
import { bareCommits, startBareListener } from "./floors.js";
import { jobIdOf } from "./outside/job-hook.js";
import { startOutsideProcess } from "./outside-process.js";
import { startServiceUnderTest } from "./service-under-test.js";

const perSecond = 100;
const heldMs = 30_000;

/** GitLab's REST API answers nothing for half a minute while its webhooks come: they are answered all the same. */
export const hooksWhileRestHangs: Bench = {
  name: "hooks-while-rest-hangs",
  about: `Job Hooks at ${perSecond}/s, each durable when it is answered, while GitLab's REST API answers only after ${heldMs / 1_000} s; p99 is to be below 50 ms`,
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const jobs = Array.from({ length: perSecond * (smoke ? 1 : 15) }, (_, n) => jobIdOf(n));
    const outside = await startOutsideProcess({ hosts: 2, guests: false });
    try {
      const sut = await startServiceUnderTest(outside);
      try {
        // Connections are opened and code is warm before anything hangs.
        await outside.calls.sendSteadily(sut.hooks, jobs.slice(0, perSecond), perSecond);
        await outside.calls.holdRest(heldMs);
        const before = await sut.passes();
        const sent = await outside.calls.sendSteadily(sut.hooks, jobs, perSecond);
        const after = await sut.passes();
        const waiting = sut.service.store.count("hint");
        return [
          ...latencies(
            "hook → 200",
            sent.map(({ sentAt, answeredAt }) => answeredAt - sentAt),
          ),
          { name: "hints that wait for the REST API", value: waiting, unit: "" },
          {
            name: "one pass of the loop, mean",
            value: (1_000 * (after.seconds - before.seconds)) / (after.count - before.count),
            unit: "ms",
          },
          ...(await floor(outside.calls, jobs)),
        ];
      } finally {
        await sut.stop();
      }
    } finally {
      await outside.stop();
    }
  },
};

async function floor(
  { sendSteadily }: Awaited<ReturnType<typeof startOutsideProcess>>["calls"],
  jobs: readonly number[],
): Promise<readonly Figure[]> {
  const bare = await startBareListener();
  try {
    const sent = await sendSteadily({ url: bare.url, secret: "none" }, jobs.slice(0, 3 * perSecond), perSecond);
    const http = sent.map(({ sentAt, answeredAt }) => answeredAt - sentAt);
    const disk = await bareCommits(jobs.length);
    return [...latencies("the same hooks to a bare handler", http, true), ...latencies("one bare SQLite commit", disk, true)];
  } finally {
    bare.stop();
  }
}
