import type { Clock } from "../model/clock.js";
import type { GuestReport } from "../model/front-door.js";
import { markKey } from "../model/mark.js";
import type { Sealer, Store } from "../store/port.js";
import { bootKey, bootText, createNonces } from "./boot-data.js";
import { type Claim, type ClaimResult, claim } from "./claims.js";
import { cloudInitMetadata } from "./cloud-init-metadata.js";
import { lastWords } from "./last-words.js";
import { createMarks } from "./mark.js";
import { isOver, isReady, type Order, orderFor, type ReadyIdentity } from "./order.js";
import type { GuestPort } from "./port.js";
import { updateReport } from "./reports.js";
import { runnerConfigToml } from "./runner-config.js";
import { createSessions, type Session } from "./sessions.js";
import { createWaiters } from "./waiters.js";

export interface GuestOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** The service's key: 64 hex digits. */
  readonly key: string;
  readonly owner: string;
  /** The guest listener's URL as guests reach it; asked when a microVM is created. */
  readonly url: () => string;
  /** The certificate authority that guests trust, as PEM. */
  readonly caPem?: string;
  /** The `user-data` by which cloud-init brings the agent into images that lack it. */
  readonly cloudConfig: () => string;
  /** How many guests may wait in a call at the same time; 20,000 when left out. */
  readonly maxWaiters?: number;
}

/** What a guest says about itself: `started` and `running` mean that its configuration is no longer needed. */
export const guestStates = ["parked", "starting", "started", "running"] as const;
export type GuestState = (typeof guestStates)[number];

/** How a guest ended. */
export type GuestEnd = Omit<NonNullable<GuestReport["done"]>, "at">;

/** `unavailable`: the guest should ask again a little later. `unknown`: the session has ended. */
export type NextResult = Order | "unavailable" | "unknown";

/** `not-yet`: there is no identity so far. `over`: it was given for the last time. */
type ConfigResult = { readonly outcome: "given"; readonly toml: string } | { readonly outcome: "not-yet" | "over" | "unknown" };

/** A log without what the service knows to be secret in it; `refused` when the guest sent enough. */
type LogResult =
  | { readonly outcome: "taken"; readonly text: string; readonly traceId: string }
  | { readonly outcome: "refused" | "unknown" };

/** The guests' side of the service: what the loop needs of it, and what guests may ask. */
export interface Guest extends GuestPort {
  claim(claim: Claim): Promise<ClaimResult>;
  /** The session of a secret; undefined when it is not the one that claimed the microVM. */
  authenticate(vm: string, secret: string): Session | undefined;
  /** As `authenticate`, when its claim may have been made at another replica a moment ago. Rejects with `FR-STORE`. */
  recognise(vm: string, secret: string): Promise<Session | undefined>;
  /** Whether the store is within reach: while it is not, nobody is refused for what is not known here. */
  isLevel(): boolean;
  /** When each guest was heard by this process. */
  heard(): Iterable<readonly [string, number]>;
  /** Settles when what a configuration rests on survives the loss of a machine of the store; rejects with `FR-STORE`. */
  settled(): Promise<void>;
  /** Answers as soon as there is something to do other than wait, and `park` after `waitMs`. */
  next(session: Session, waitMs: number, signal?: AbortSignal): Promise<NextResult>;
  /** The same answer as often as it is asked for, until the guest has said that its runner started. */
  config(session: Session): ConfigResult;
  /** `terminate`: end the runner, which tells the forge; the microVM is removed soon, whatever comes of it. */
  heartbeat(session: Session, state: GuestState): Promise<"continue" | "stop" | "terminate" | "unknown">;
  /** Keeps the end of it as an event of the microVM. */
  log(session: Session, text: string): Promise<LogResult>;
  /** Remembers the first end that is told. */
  done(session: Session, end: GuestEnd): Promise<"remembered" | "unknown">;
  /** Ends every wait and holds no more calls. What the loop needs goes on working. */
  stop(): void;
}

/** Why a claim is refused here that may be known at another replica already. */
const notYetKnown: ReadonlySet<string> = new Set(["unknown-microvm", "not-awaited"]);

/** Writes guests' reports, and nothing else, by compare-and-set. */
export function createGuest(options: GuestOptions): Guest {
  const { store, sealer, clock } = options;
  const nonceOf = createNonces(options.key);
  const marks = createMarks(options.key, options.owner);
  const sessions = createSessions(store, clock);
  const waiters = createWaiters(clock, options.maxWaiters ?? 20_000);
  const unwatch = store.watch(({ changed }) => {
    for (const { kind, key } of changed) {
      if (kind === "microvm" && store.get(kind, key) === undefined) sessions.forget(key);
      if (kind === "microvm" || kind === "identity" || kind === "guestReport") waiters.wake(key);
    }
  });

  function order(session: Session): Order | "unknown" {
    const state = sessions.current(session);
    return state === undefined ? "unknown" : orderFor(state.vm, state.report, store.get("identity", session.vm)?.value);
  }

  /** Changes the report of a session that has not ended meanwhile. */
  async function report(session: Session, change: (report: GuestReport) => GuestReport | undefined): Promise<boolean> {
    let known = false;
    await updateReport(store, session.vm, () => {
      const state = sessions.current(session);
      known = state !== undefined;
      return state === undefined ? undefined : change(state.report);
    });
    return known;
  }

  /** A commit settles when all before it can be read here, also one that changes nothing. */
  const catchUp = (): Promise<unknown> => store.commit({ writes: [] });

  /** The context is the one under which the token was sealed when the runner was made. */
  const tokenOf = ({ vm, sealedToken }: ReadyIdentity): string => sealer.open(sealedToken, `identity/${vm}`);

  return {
    bootMetadata(microvm, bootstrap) {
      const { name: vm } = microvm;
      const caPem = options.caPem === undefined ? {} : { caPem: options.caPem };
      return {
        [bootKey]: bootText({ vm, nonce: nonceOf(vm), url: options.url(), ...caPem }),
        [markKey]: marks.make(microvm),
        ...(bootstrap === "cloud-init" ? cloudInitMetadata(vm, options.cloudConfig()) : {}),
      };
    },
    readMark(metadata) {
      const mark = marks.read(metadata);
      return mark === undefined ? undefined : { vm: mark.vm, pool: mark.pool, connection: mark.connection, size: mark.size };
    },
    lastHeardAt: sessions.lastHeardAt,
    heard: sessions.heard,
    isLevel: () => store.ready().current,
    settled: () => store.settled(),

    async claim(given) {
      let result = await claim(given, { store, clock, nonceOf });
      if (result.outcome === "refused" && notYetKnown.has(result.reason)) {
        await catchUp();
        result = await claim(given, { store, clock, nonceOf });
      }
      if (result.outcome === "accepted") sessions.hear(given.vm);
      return result;
    },
    authenticate: sessions.authenticate,
    async recognise(vm, secret) {
      const session = sessions.authenticate(vm, secret);
      const isDecided = session !== undefined || store.get("microvm", vm) === undefined || store.get("guestReport", vm) !== undefined;
      if (isDecided) return session;
      await catchUp();
      return sessions.authenticate(vm, secret);
    },
    async next(session, waitMs, signal) {
      const until = clock.now() + waitMs;
      for (;;) {
        const now = order(session);
        const leftMs = until - clock.now();
        if (now !== "park" || leftMs <= 0) return now;
        const end = await waiters.wait(session.vm, leftMs, signal);
        if (end === "full" || end === "stopped") return "unavailable";
        if (end !== "changed") return order(session);
      }
    },
    config(session) {
      const state = sessions.current(session);
      if (state === undefined) return { outcome: "unknown" };
      if (isOver(state.vm, state.report) || state.report.startedAt !== undefined) return { outcome: "over" };
      const identity = store.get("identity", session.vm)?.value;
      const connection = store.get("connection", state.vm.connection)?.value.spec;
      const pool = store.get("pool", state.vm.pool)?.value.spec;
      if (!isReady(identity) || connection === undefined || pool === undefined) return { outcome: "not-yet" };
      const { vm, runnerId } = identity;
      const { docker } = pool;
      return { outcome: "given", toml: runnerConfigToml({ vm, url: connection.url, runnerId, token: tokenOf(identity), docker }) };
    },
    async heartbeat(session, said) {
      if (said === "started" || said === "running") {
        // Only what was given can have been started: anything else would make a parked microVM useless.
        await report(session, (known) =>
          known.startedAt === undefined && isReady(store.get("identity", session.vm)?.value)
            ? { ...known, startedAt: clock.now() }
            : undefined,
        );
      }
      const state = sessions.current(session);
      if (state === undefined) return "unknown";
      if (!isOver(state.vm, state.report)) return "continue";
      // What has begun to run ends by itself unless its time is up.
      const isRunning = said === "started" || said === "running";
      return isRunning && state.vm.endAskedAt !== undefined ? "terminate" : "stop";
    },
    async log(session, text) {
      const state = sessions.current(session);
      if (state === undefined) return { outcome: "unknown" };
      if (!sessions.admitsLog(session.vm)) return { outcome: "refused" };
      const identity = store.get("identity", session.vm)?.value;
      const clean = isReady(identity) ? text.replaceAll(tokenOf(identity), "[redacted]") : text;
      const { traceId } = state.vm;
      const event = lastWords(session.vm, clean, clock.now(), traceId);
      if (event !== undefined) await store.commit({ writes: [], events: [event] });
      return { outcome: "taken", text: clean, traceId };
    },
    async done(session, end) {
      const known = await report(session, (before) =>
        before.done === undefined ? { ...before, done: { at: clock.now(), ...end } } : undefined,
      );
      return known ? "remembered" : "unknown";
    },
    stop() {
      unwatch();
      waiters.stop();
    },
  };
}
