import type { HostMicrovmState } from "../flintlock/port.js";
import { FireRunnerError } from "../model/errors.js";
import type { Host } from "../model/host.js";
import { namespaceOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { Effect } from "../plan/effect.js";
import { type Execution, type ExecutionContext, needed } from "./execution.js";

/** How often a host is told again to delete what it has accepted to delete and still shows. */
const deleteAgainMs = 60_000;

type HostEffect = Extract<Effect, { readonly host: string }>;

/** Carries out what goes to a Flintlock host. */
export async function executeOnHost(effect: HostEffect, context: ExecutionContext): Promise<Execution> {
  switch (effect.kind) {
    case "listHost":
      return listHost(effect.host, context);
    case "createOnHost":
      return create(effect.vm, effect.host, context);
    case "deleteOnHost":
      return remove(effect, context);
    case "checkGone":
      return checkGone(effect, context);
    case "deleteDouble":
      await context.ports.flintlock.delete(hostOf(effect.host, context), effect.uid);
      context.soft.noteAbsent(effect.host, effect.uid, context.ports.clock.now());
      return "done";
  }
}

function hostOf(name: string, { ports }: ExecutionContext) {
  return needed(ports.store.get("host", name), `host "${name}"`);
}

async function listHost(name: string, context: ExecutionContext): Promise<Execution> {
  const { ports, settings, soft } = context;
  const startedAt = ports.clock.now();
  const host = hostOf(name, context);
  const listed = await ports.flintlock.list(host, namespaceOf(settings.owner)).catch((caught: unknown) => {
    const error = FireRunnerError.from(caught, "FR-INTERNAL", `listing host "${name}"`);
    soft.failedReads.set(name, { code: error.code, message: error.message });
    throw error;
  });
  const microvms = listed.map(({ uid, name: vm, state, retry, address, mac, metadata }) => ({
    uid,
    name: vm,
    state,
    retry,
    address,
    mac,
    mark: ports.guest.readMark(metadata),
  }));
  soft.noteHost(name, startedAt, ports.clock.now(), microvms);
  return "done";
}

async function create(name: string, hostName: string, context: ExecutionContext): Promise<Execution> {
  const { ports, settings, writes } = context;
  const microvm = ports.store.get("microvm", name)?.value;
  if (microvm === undefined) return "done";
  const host = ports.store.get("host", hostName)?.value.spec;
  const image = ports.store.get("image", microvm.image)?.value.spec;
  try {
    if (host === undefined || image === undefined) {
      const what = host === undefined ? `host "${hostName}"` : `image "${microvm.image}"`;
      throw new FireRunnerError("FR-NOT-FOUND", `creating microVM "${name}": ${what} is no longer declared`);
    }
    const metadata = ports.guest.bootMetadata(microvm, image.bootstrap);
    const made = await ports.flintlock.create({ host, image, microvm, namespace: namespaceOf(settings.owner), metadata });
    const createdAt = ports.clock.now();
    await writes.update("microvm", name, (vm) =>
      vm === undefined || vm.uid !== undefined ? undefined : { ...vm, uid: made.uid, createdAt },
    );
  } catch (caught) {
    const error = FireRunnerError.from(caught, "FR-INTERNAL", `creating microVM "${name}" on host "${hostName}"`);
    if (error.code === "FR-NOT-LEADER" || error.code === "FR-STORE") throw error;
    const now = ports.clock.now();
    await writes.update("microvm", name, (vm) =>
      vm === undefined || vm.uid !== undefined ? undefined : afterFailedCreate(vm, error, now),
    );
    throw error;
  }
  return "done";
}

/** What was refused or never sent left nothing. After anything else the host may have it all the same: it is searched for by name. */
function afterFailedCreate(vm: Microvm, error: FireRunnerError, now: number): Microvm {
  if (error.retryable && error.details.sent !== false) return { ...vm, createSentAt: now };
  return { ...vm, absentAt: now, failure: vm.failure ?? { code: error.code, message: error.message } };
}

async function remove(effect: Extract<Effect, { kind: "deleteOnHost" }>, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const host = hostOf(effect.host, context);
  // A Delete without an answer may have arrived: it is sent again only to a host that shows that it did not.
  const isDoubtful = ports.store.get("microvm", effect.vm)?.value.deleteTriedAt !== undefined;
  const found = isDoubtful ? await ports.flintlock.get(host, effect.uid) : undefined;
  if (isDoubtful && found === undefined) return noteGone(effect, context);
  const answer = found?.state === "deleting" ? "accepted" : await sendDelete(host, effect, context);
  if (answer === "absent") return noteGone(effect, context);
  const deleteAcceptedAt = ports.clock.now();
  await writes.update("microvm", effect.vm, (vm) => (vm === undefined ? undefined : { ...vm, deleteAcceptedAt }));
  return "done";
}

async function sendDelete(host: Host, effect: Removed, { ports, writes }: ExecutionContext): Promise<"accepted" | "absent"> {
  try {
    return await ports.flintlock.delete(host, effect.uid);
  } catch (caught) {
    const deleteTriedAt = ports.clock.now();
    await writes.update("microvm", effect.vm, (vm) => (vm === undefined ? undefined : { ...vm, deleteTriedAt }));
    throw caught;
  }
}

async function checkGone(effect: Extract<Effect, { kind: "checkGone" }>, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const host = hostOf(effect.host, context);
  const found = await ports.flintlock.get(host, effect.uid);
  if (found === undefined) return noteGone(effect, context);
  const now = ports.clock.now();
  const vm = ports.store.get("microvm", effect.vm)?.value;
  if (vm === undefined || !isToBeDeletedAgain(vm, found.state, now)) return "again";
  if ((await ports.flintlock.delete(host, effect.uid)) === "absent") return noteGone(effect, context);
  await writes.update("microvm", effect.vm, (current) => (current === undefined ? undefined : { ...current, deleteTriedAt: now }));
  return "again";
}

/**
 * A host that was still at work on its Create may lose a Delete: then it says so by showing another state, and gets a
 * second one at once. Apart from that it gets one a minute at most: needless ones keep it busy.
 */
function isToBeDeletedAgain({ deleteAcceptedAt = 0, deleteTriedAt = 0 }: Microvm, state: HostMicrovmState, now: number): boolean {
  if (state !== "deleting" && deleteTriedAt <= deleteAcceptedAt) return true;
  return now - Math.max(deleteAcceptedAt, deleteTriedAt) >= deleteAgainMs;
}

/** A microVM to be removed, as effects name it. */
interface Removed {
  readonly vm: string;
  readonly host: string;
  readonly uid: string;
}

async function noteGone(effect: Removed, { ports, soft, writes }: ExecutionContext): Promise<"done"> {
  const absentAt = ports.clock.now();
  soft.noteAbsent(effect.host, effect.uid, absentAt);
  await writes.update("microvm", effect.vm, (vm) => (vm === undefined ? undefined : { ...vm, absentAt }));
  return "done";
}
