import { describe, expect, it } from "vitest";
import type { Identity } from "../model/identity.js";
import { applyPlan } from "./apply-plan.fixture.js";
import { plan } from "./plan.js";
import { aJob, anIdentity, aSnapshot, aVm, now, remarkable } from "./snapshot.fixture.js";
import type { EffectState } from "./snapshot.js";

const { uid: _uid, claimedAt: _claimed, createdAt: _created, createSentAt: _sent, ...bare } = aVm();
const unsent = (n: number) => ({
  ...bare,
  name: `vm-${n}`,
  phase: "allocated" as const,
  allocatedAt: now - n,
  mac: `02:00:00:00:01:0${n}`,
  address: `10.20.0.${n + 30}/24`,
});
const { runnerId: _runnerId, sealedToken: _token, ...unmade } = anIdentity();
const wanted = (identity: Partial<Identity> = {}): Identity => ({ ...unmade, state: "wanted", attempts: 0, ...identity });
const booting = aVm({ phase: "booting", identity: true, committedAt: now - 100 });

describe("Creates", () => {
  it("are sent once, with the time of it on record", () => {
    const snapshot = aSnapshot({ microvms: [unsent(1)] });
    const decided = plan(snapshot);
    expect(decided.effects).toContainEqual({ kind: "createOnHost", vm: "vm-1", host: "host-a" });
    expect(applyPlan(snapshot, decided).microvms).toMatchObject([{ phase: "creating", createSentAt: now }]);
  });

  it("wait while their host has eight to answer", () => {
    const sent = Array.from({ length: 8 }, (_, n) => ({
      ...unsent(n),
      name: `vm-sent-${n}`,
      mac: `02:00:00:00:02:0${n}`,
      phase: "creating" as const,
      createSentAt: now - 50,
    }));
    const effects = new Map<string, EffectState>(sent.map(({ name }) => [`host:${name}`, { state: "in-flight" }]));
    const decided = plan(aSnapshot({ microvms: [...sent, unsent(9)], effects }));
    expect(decided.effects.filter(({ kind }) => kind === "createOnHost")).toEqual([]);
  });
});

describe("runners", () => {
  const look = (identity: Identity, effects?: ReadonlyMap<string, EffectState>) => {
    const snapshot = aSnapshot({
      microvms: [booting],
      identities: [identity],
      jobs: [aJob()],
      guestReports: new Map(),
      ...(effects === undefined ? {} : { effects }),
    });
    const decided = plan(snapshot);
    return { sent: decided.effects.filter((effect) => "vm" in effect), ...applyPlan(snapshot, decided) };
  };

  it("are asked for once, with the try on record", () => {
    const { sent, identities } = look(wanted());
    expect(sent).toEqual([{ kind: "makeRunner", vm: "vm-one", connection: "forge", findFirst: false }]);
    expect(identities).toMatchObject([{ attempts: 1 }]);
  });

  it("are searched for before they are asked for again", () => {
    expect(look(wanted({ attempts: 1 })).sent).toMatchObject([{ kind: "makeRunner", findFirst: true }]);
  });

  it("are not asked for while that is under way", () => {
    expect(look(wanted({ attempts: 1 }), new Map([["runner:vm-one", { state: "in-flight" }]])).sent).toEqual([]);
  });

  it("that the forge does not make are given up, with their microVM", () => {
    const { microvms, conditions } = look(wanted({ attempts: 8 }));
    expect(microvms).toMatchObject([{ phase: "draining", failure: { code: "FR-FORGE-REJECTED" } }]);
    expect(remarkable(conditions)).toMatchObject([{ type: "NoJobTaken" }]);
  });
});
