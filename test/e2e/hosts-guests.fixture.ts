import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { VmDriver, VmRequest } from "../../reconciler/embedded/host/driver.js";

/** How often a guest that was not answered, or got no job, asks again. */
const askAgainMs = 250;
const heartbeatMs = 10_000;
const nextWaitS = 20;

/** What a guest is made of: its VM's life, which ends when its power does. */
interface Guest {
  readonly power: AbortController;
  readonly ended: Promise<void>;
}

/** A runner as its guest has it: what a job could steal. */
export interface RunnerConfig {
  readonly url: string;
  readonly token: string;
}

/** What guests do that no test can see from outside. */
export interface GuestDiary {
  /** A job of the forge was begun on a microVM. */
  ran(vm: string, jobId: number): void;
}

/**
 * VMs without processes whose guests are real on the wire: each claims its microVM over HTTP, waits or runs one job as a
 * runner does, tells that it is done and powers off. A thousand of them cost little.
 */
export class HttpGuestDriver implements VmDriver {
  private readonly guests = new Map<string, Guest>();

  constructor(
    private readonly diary: GuestDiary,
    /** What running a job takes; ends early with the guest's power. */
    private readonly work: (power: AbortSignal, runner: RunnerConfig) => Promise<void>,
  ) {}

  async start(): Promise<void> {}

  async create(vm: VmRequest): Promise<void> {
    const power = new AbortController();
    // A guest whose power goes is in the middle of something; a guest that errs is off.
    const ended = this.live(vm, power.signal)
      .catch(() => undefined)
      .finally(() => power.abort());
    this.guests.set(vm.uid, { power, ended });
  }

  isRunning(uid: string): boolean {
    return this.guests.get(uid)?.power.signal.aborted === false;
  }

  async powerOff(uid: string): Promise<void> {
    const guest = this.guests.get(uid);
    guest?.power.abort();
    await guest?.ended;
  }

  async destroy(uid: string): Promise<void> {
    await this.powerOff(uid);
    this.guests.delete(uid);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.guests.keys()].map((uid) => this.destroy(uid)));
  }

  private async live({ metadata }: VmRequest, power: AbortSignal): Promise<void> {
    const boot = fields(metadata["firerunner-boot"] ?? "");
    const service = new Service(boot.url ?? "", boot.vm ?? "", power);
    let order = await service.claim(boot.nonce ?? "");
    const beats = setInterval(() => void service.heartbeat("parked").catch(() => undefined), heartbeatMs);
    power.addEventListener("abort", () => clearInterval(beats), { once: true });
    while (order === "park") order = await service.next();
    if (order !== "run") return;
    const config = await service.config();
    await service.heartbeat("started");
    await this.runOneJob(boot.vm ?? "", config, service, power);
    await service.done();
  }

  /** Asks the forge for a job until there is one, and runs it, or until the guest is told to stop. */
  private async runOneJob(vm: string, runner: RunnerConfig, service: Service, power: AbortSignal): Promise<void> {
    const { url, token } = runner;
    for (;;) {
      const response = await send(`${url}/api/v4/jobs/request`, "POST", { token }, power);
      if (response.status === 201) {
        const job = (await response.json()) as { readonly id: number; readonly token: string };
        this.diary.ran(vm, job.id);
        await this.work(power, runner);
        power.throwIfAborted();
        await persist(power, () => send(`${url}/api/v4/jobs/${job.id}`, "PUT", { token: job.token, state: "success" }, power));
        return;
      }
      await response.text();
      if ((await service.heartbeat("running")) === "stop") return;
      await pause(askAgainMs, undefined, { signal: power });
    }
  }
}

/** The service as one guest sees it. */
class Service {
  private readonly secret = randomBytes(32).toString("hex");

  constructor(
    private readonly url: string,
    private readonly vm: string,
    private readonly power: AbortSignal,
  ) {}

  async claim(nonce: string): Promise<string> {
    const secretSha256 = createHash("sha256").update(this.secret).digest("hex");
    const lines = { vm: this.vm, nonce, boot_id: randomBytes(16).toString("hex"), secret_sha256: secretSha256 };
    return this.order("claim", "POST", lines);
  }

  next = (): Promise<string> => this.order(`next?wait_s=${nextWaitS}`, "GET");

  heartbeat = (state: string): Promise<string> => this.order("heartbeat", "POST", { state });

  done = (): Promise<string> => this.order("done", "POST", { exit_code: "0", reason: "finished" });

  async config(): Promise<RunnerConfig> {
    const text = await (await this.call("config", "GET")).text();
    const value = (key: string) => JSON.parse(new RegExp(`^ *${key} = (".*")$`, "m").exec(text)?.[1] ?? '""') as string;
    return { url: value("url"), token: value("token") };
  }

  private async order(call: string, method: string, lines?: Readonly<Record<string, string>>): Promise<string> {
    return fields(await (await this.call(call, method, lines)).text()).action ?? "stop";
  }

  /** Until it is answered; an answer that refuses ends the guest. */
  private async call(call: string, method: string, lines?: Readonly<Record<string, string>>): Promise<Response> {
    const body =
      lines === undefined
        ? {}
        : {
            body: Object.entries(lines)
              .map(([key, value]) => `${key}=${value}\n`)
              .join(""),
          };
    const headers = { "content-type": "text/plain", authorization: `Bearer ${this.vm}:${this.secret}` };
    return persist(this.power, () => fetch(`${this.url}/guest/v1/${call}`, { method, headers, signal: this.power, ...body }));
  }
}

/** Repeats what was not answered, or answered "later"; throws what is refused for good. */
async function persist(power: AbortSignal, call: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const response = await call().catch(() => undefined);
    power.throwIfAborted();
    if (response?.ok) return response;
    const status = response?.status ?? 503;
    if (status < 500 && status !== 409 && status !== 429) throw new Error(`refused with ${status}`);
    await pause(askAgainMs, undefined, { signal: power });
  }
}

function send(url: string, method: string, body: unknown, signal: AbortSignal): Promise<Response> {
  return fetch(url, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
}

function fields(text: string): Readonly<Record<string, string>> {
  const pairs = text.split("\n").flatMap((line) => {
    const equals = line.indexOf("=");
    return equals < 1 ? [] : [[line.slice(0, equals), line.slice(equals + 1)] as const];
  });
  return Object.fromEntries(pairs);
}
