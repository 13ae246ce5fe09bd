import { FireRunnerError } from "../model/errors.js";
import { namespaceOf } from "../model/mark.js";
import type { Microvm } from "../model/microvm.js";
import type { Effect } from "../plan/effect.js";
import { type Execution, type ExecutionContext, needed } from "./execution.js";

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
    const metadata = ports.guest.bootMetadata(microvm);
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

/** A refusal is final. After anything else the host may have it all the same: it is searched for by name. */
function afterFailedCreate(vm: Microvm, error: FireRunnerError, now: number): Microvm {
  if (error.retryable) return { ...vm, createSentAt: now };
  return { ...vm, absentAt: now, failure: vm.failure ?? { code: error.code, message: error.message } };
}

async function remove(effect: Extract<Effect, { kind: "deleteOnHost" }>, context: ExecutionContext): Promise<Execution> {
  const { ports, writes } = context;
  const answer = await ports.flintlock.delete(hostOf(effect.host, context), effect.uid);
  const now = ports.clock.now();
  if (answer === "absent") {
    await noteGone(effect, context);
    return "done";
  }
  await writes.update("microvm", effect.vm, (vm) => (vm === undefined ? undefined : { ...vm, deleteAcceptedAt: now }));
  return "done";
}

async function checkGone(effect: Extract<Effect, { kind: "checkGone" }>, context: ExecutionContext): Promise<Execution> {
  const { flintlock } = context.ports;
  const host = hostOf(effect.host, context);
  const found = await flintlock.get(host, effect.uid);
  // A host that was still at work on its Create may lose a Delete: then it says so by showing another state.
  const isGone = found === undefined || (found.state !== "deleting" && (await flintlock.delete(host, effect.uid)) === "absent");
  if (!isGone) return "again";
  await noteGone(effect, context);
  return "done";
}

async function noteGone(
  effect: { readonly vm: string; readonly host: string; readonly uid: string },
  { ports, soft, writes }: ExecutionContext,
): Promise<void> {
  const absentAt = ports.clock.now();
  soft.noteAbsent(effect.host, effect.uid, absentAt);
  await writes.update("microvm", effect.vm, (vm) => (vm === undefined ? undefined : { ...vm, absentAt }));
}
