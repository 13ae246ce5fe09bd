import type { Store } from "../../reconciler/store/port.js";
import { type Bench, type Figure, latencies, quantile, type RunOptions } from "./figure.js";
import { bareCommits, bareCreates, bareReads, startBareListener } from "./floors.js";
import { jobIdOf } from "./outside/job-hook.js";
import { type OutsideProcess, startOutsideProcess } from "./outside-process.js";
import { type ServiceUnderTest, startServiceUnderTest } from "./service-under-test.js";
import { until } from "./until.js";

const perSecond = 500;
const hosts = 10;

/** Times of one job, in milliseconds of the outside's clock; a job that a poll brought was not read by itself. */
interface JobTimes {
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly readAt: number | undefined;
  readonly createdAt: number;
}

/** A Job Hook is sent; its job's microVM is asked for. The two are matched by the trace that a microVM has of the job it was made for. */
export const hookToCreate: Bench = {
  name: "hook-to-create",
  about: `Job Hooks at ${perSecond}/s until CreateMicroVM arrives at a host, matched by trace; no microVM ends meanwhile`,
  async run({ smoke }: RunOptions): Promise<readonly Figure[]> {
    const count = smoke ? perSecond / 2 : perSecond * 6;
    const outside = await startOutsideProcess({ hosts, guests: false });
    try {
      const sut = await startServiceUnderTest(outside);
      let figures: readonly Figure[];
      try {
        figures = await measure(outside, sut, count);
      } finally {
        await sut.stop();
      }
      return [...figures, ...(await floors(outside, count))];
    } finally {
      await outside.stop();
    }
  },
};

async function measure(outside: OutsideProcess, sut: ServiceUnderTest, count: number): Promise<readonly Figure[]> {
  const { calls } = outside;
  const warmUp = Math.ceil(count / 3);
  const jobs = Array.from({ length: warmUp + count }, (_, n) => jobIdOf(n));
  await calls.sendSteadily(sut.hooks, jobs.slice(0, warmUp), perSecond);
  await until("the Creates of the warm-up", async () => (await calls.createCount()) >= warmUp);

  const passes = await sut.passes();
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const sent = await calls.sendSteadily(sut.hooks, jobs.slice(warmUp), perSecond);
  await until("all Creates", async () => (await calls.createCount()) >= jobs.length);
  const { user, system } = process.cpuUsage(cpu);
  const { utilization } = performance.eventLoopUtilization(loop);
  const passed = await sut.passes();

  const { creates, readAt } = await calls.seen();
  const vmOf = microvmsByJob(sut.service.store);
  const createdAt = new Map(creates.map(({ vm, at }) => [vm, at]));
  const times = sent.flatMap(({ jobId, sentAt, answeredAt }): JobTimes[] => {
    const created = createdAt.get(vmOf.get(jobId) ?? "");
    return created === undefined ? [] : [{ sentAt, answeredAt, readAt: readAt.get(jobId), createdAt: created }];
  });
  const read = times.flatMap((time) =>
    time.readAt === undefined || time.readAt > time.createdAt ? [] : [{ ...time, readAt: time.readAt }],
  );
  const lastAt = times.reduce((last, time) => Math.max(last, time.createdAt), 0);
  const firstAt = times.reduce((first, time) => Math.min(first, time.sentAt), Number.POSITIVE_INFINITY);
  return [
    ...latencies(
      "hook → Create arrives",
      times.map((time) => time.createdAt - time.sentAt),
    ),
    ...latencies(
      "of that: hook → 200",
      times.map((time) => time.answeredAt - time.sentAt),
    ),
    ...latencies(
      "of that: hook → its job is read",
      read.map((time) => time.readAt - time.sentAt),
    ),
    ...latencies(
      "of that: job is read → Create",
      read.map((time) => time.createdAt - time.readAt),
    ),
    { name: "sustained, first hook to last Create", value: (times.length * 1_000) / (lastAt - firstAt), unit: "/s" },
    { name: "hooks matched with their Create", value: (100 * times.length) / count, unit: "%" },
    { name: "hooks whose job a poll brought before", value: (100 * (times.length - read.length)) / count, unit: "%" },
    { name: "processor time of the service per hook", value: (user + system) / 1_000 / count, unit: "ms" },
    { name: "its event loop was busy", value: 100 * utilization, unit: "%" },
    { name: "passes of its loop per second", value: ((passed.count - passes.count) * 1_000) / (lastAt - firstAt), unit: "/s" },
    { name: "one pass, mean", value: ((passed.seconds - passes.seconds) * 1_000) / (passed.count - passes.count), unit: "ms" },
    { name: "microVMs at the end", value: creates.length, unit: "" },
  ];
}

/** The microVM that was made for each job. */
function microvmsByJob(store: Store): ReadonlyMap<number, string> {
  const jobs = new Map(store.list("job").map(({ value }) => [value.traceId, value.jobId]));
  return new Map(store.list("microvm").map(({ value }) => [jobs.get(value.traceId) ?? 0, value.name]));
}

/** The steps that cannot be left out, one after the other and with nothing else in this process. */
async function floors({ calls, gitlabUrl, hostEndpoints: [endpoint = ""] }: OutsideProcess, count: number): Promise<readonly Figure[]> {
  const bare = await startBareListener();
  const hooks = await calls.sendSteadily(
    { url: bare.url, secret: "none" },
    Array.from({ length: count / 2 }, (_, n) => jobIdOf(n)),
    perSecond,
  );
  bare.stop();
  const http = hooks.map(({ sentAt, answeredAt }) => answeredAt - sentAt);
  const rest = await bareReads(gitlabUrl, count / 2);
  const grpc = await bareCreates(endpoint, count / 2);
  const disk = await bareCommits(count / 2);
  const sum = [http, rest, grpc, disk].reduce((total, ms) => total + quantile(ms, 0.5), 0);
  return [
    ...latencies("the same hooks to a bare handler", http, true),
    ...latencies("one bare REST read", rest, true),
    ...latencies("one bare gRPC call", grpc, true),
    ...latencies("one bare SQLite commit", disk, true),
    { name: "sum of these, p50", value: sum, unit: "ms", floor: true },
  ];
}
