import { createHash } from "node:crypto";
import { systemRandom } from "../control/random.js";
import type { GuestReport } from "../model/front-door.js";
import { type Host, hostSchema } from "../model/host.js";
import type { Identity } from "../model/identity.js";
import { ManualClock } from "../model/manual-clock.fixture.js";
import type { Microvm } from "../model/microvm.js";
import { poolSchema } from "../model/pool.js";
import type { Records } from "../model/records.js";
import { createMemoryStore } from "../store/memory/memory-store.js";
import type { Sealer, Store } from "../store/port.js";
import { createSealer } from "../store/sealer.js";
import type { Claim } from "./claims.js";
import { createGuest, type Guest, type GuestOptions } from "./guest.js";
import type { Session } from "./sessions.js";

export const serviceKey = "5e".repeat(32);
export const token = "glrt-token-of-the-test";
export const traceId = "0f".repeat(16);

export function aMicrovm(change: Partial<Microvm> = {}): Microvm {
  return {
    name: "vm-a",
    pool: "small",
    connection: "gl",
    image: "ubuntu",
    sizeName: "fr-small",
    size: { vcpu: 2, memoryMb: 2048 },
    host: "h1",
    phase: "booting",
    uid: "01J",
    address: "10.20.0.5/24",
    mac: "02:00:00:00:00:05",
    allocatedAt: 1_700_000_000_000,
    createSentAt: 1_700_000_000_000,
    identity: false,
    traceId,
    ...change,
  };
}

/** A guest's side and everything behind it; the leader's part is played by the test. */
export interface GuestWorld {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: ManualClock;
  readonly guest: Guest;
  /** How many commits were made. */
  commits(): number;
  putMicrovm(change?: Partial<Microvm>): Promise<void>;
  putIdentity(change?: Partial<Identity>): Promise<void>;
  putHost(network: Host["network"]): Promise<void>;
  remove(kind: "microvm" | "identity" | "guestReport", key?: string): Promise<void>;
  report(vm?: string): GuestReport | undefined;
  /** A claim as the guest of `vm` makes it. */
  claimOf(change?: Partial<Claim> & { readonly secret?: string }): Claim;
  /** Claims with `secret` and gives the session. */
  session(secret?: string): Promise<Session>;
}

/** A world with a connection `gl`, a host `h1` and the booting microVM `vm-a`. */
export async function createGuestWorld(options: Partial<GuestOptions> = {}): Promise<GuestWorld> {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock, random: systemRandom });
  const sealer = createSealer(serviceKey);
  const guest = createGuest({
    ...{ store, sealer, clock, key: serviceKey, owner: "acme" },
    url: () => "https://fr.example:8471/",
    cloudConfig: () => "#cloud-config\n{}\n",
    ...options,
  });
  let commits = 0;
  store.watch(() => {
    commits += 1;
  });

  async function put<K extends "microvm" | "identity" | "host" | "connection" | "pool">(
    kind: K,
    key: string,
    value: Records[K],
  ): Promise<void> {
    await store.commit({ writes: [{ kind, key, value, expect: "any" } as Parameters<Store["commit"]>[0]["writes"][number]] });
  }
  const declared = { generation: 1, order: 0, declaredAt: 0 };
  const world: GuestWorld = {
    store,
    sealer,
    clock,
    guest,
    commits: () => commits,
    putMicrovm: (change = {}) => {
      const vm = { ...(store.get("microvm", change.name ?? "vm-a")?.value ?? aMicrovm()), ...change };
      return put("microvm", vm.name, vm);
    },
    putIdentity: (change = {}) => {
      const vm = change.vm ?? "vm-a";
      return put("identity", vm, {
        vm,
        connection: "gl",
        description: `firerunner/acme/small/${vm}`,
        tags: [],
        runUntagged: true,
        maxJobTimeoutS: 3600,
        state: "ready",
        attempts: 1,
        runnerId: 42,
        sealedToken: sealer.seal(token, `identity/${vm}`),
        ...change,
      });
    },
    putHost: (network) => {
      const spec = hostSchema.parse({
        name: "h1",
        endpoint: "h1:9090",
        tls: { insecure: true },
        capacity: { vcpu: 8, memoryMb: 8192, microvms: 8 },
        network,
      });
      return put("host", "h1", { ...declared, spec });
    },
    async remove(kind, key = "vm-a") {
      await store.commit({ writes: [{ kind, key, value: null, expect: "any" }] });
    },
    report: (vm = "vm-a") => store.get("guestReport", vm)?.value,
    claimOf({ secret = secretOf("a"), ...change } = {}) {
      const vm = change.vm ?? "vm-a";
      return { vm, nonce: nonceOf(guest, vm), bootId: "boot-1", secretSha256: sha256(secret), address: "10.20.0.5", ...change };
    },
    async session(secret = secretOf("a")) {
      const result = await guest.claim(world.claimOf({ secret }));
      if (result.outcome !== "accepted") throw new Error(`the claim was refused: ${result.reason}`);
      const session = guest.authenticate("vm-a", secret);
      if (session === undefined) throw new Error("the session is not known");
      return session;
    },
  };
  await put("connection", "gl", {
    ...declared,
    spec: {
      name: "gl",
      kind: "gitlab",
      url: "https://gitlab.example.com",
      token: "env:GITLAB_TOKEN",
      scope: { projectId: 1 },
      webhook: { register: false },
      presenceRunners: true,
    },
  });
  const pool = { name: "small", connection: "gl", image: "ubuntu", runUntagged: true, size: "fr-small", maxMicrovms: 4 };
  await put("pool", "small", { ...declared, spec: poolSchema.parse({ ...pool, sizes: { "fr-small": { vcpu: 2, memoryMb: 2048 } } }) });
  await world.putHost({ mode: "static", subnet: "10.20.0.0/24", gateway: "10.20.0.1", nameservers: [], exclude: [], nat: true });
  await world.putMicrovm();
  commits = 0;
  return world;
}

/** A session secret as the agent makes them, from one character a-f or digit. */
export const secretOf = (character: string): string => character.repeat(64);

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The nonce that a microVM boots with. */
export function nonceOf(guest: Pick<Guest, "bootMetadata">, vm: string): string {
  const boot = guest.bootMetadata(aMicrovm({ name: vm }), "agent")["firerunner-boot"] ?? "";
  return /^nonce=(.*)$/m.exec(boot)?.[1] ?? "";
}
