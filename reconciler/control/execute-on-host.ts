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
      context.soft.noteAbsent(effect.host, effect.uid);
      return "done";
  }
}

function hostOf(name: string, { ports }: ExecutionContext) {
  return needed(ports.store.get("host", name), `host "${name}"`);
}

async function listHost(name: string, context: ExecutionContext): Promise<Execution> {
  const { ports, settings, soft } = context;
  const startedAt = ports.clock.now();
  const listed = await ports.flintlock.list(hostOf(name, context), namespaceOf(settings.owner));
  const microvms = listed.map(({ uid, name: vm, state, retry, metadata }) => ({
    uid,
    name: vm,
    state,
    retry,
    mark: ports.guest.readMark(metadata),
  }));
  soft.hosts.set(name, { startedAt, at: ports.clock.now(), microvms });
  return "done";
}

async function create(name: string, hostName: string, context: ExecutionContext): Promise<Execution> {
  const { ports, settings, writes } = context;
  const microvm = ports.store.get("microvm", name)?.value;
  if (microvm === undefined) return "done";
  try {
    const host = hostOf(hostName, context);
    const image = needed(ports.store.get("image", microvm.image), `image "${microvm.image}"`);
    const made = await ports.flintlock.create({
      host,
      image,
      microvm,
      namespace: namespaceOf(settings.owner),
      metadata: ports.guest.bootMetadata(microvm),
    });
    const createdAt = ports.clock.now();
    await writes.update("microvm", name, (vm) =>
      vm === undefined || vm.uid !== undefined ? undefined : { ...vm, uid: made.uid, createdAt },
    );
  } catch (caught) {
    const error = FireRunnerError.from(caught, "FR-INTERNAL", `creating microVM "${name}" on host "${hostName}"`);
    if (error.code === "FR-NOT-LEADER") throw error;
    await writes.update("microvm", name, (vm) =>
      vm === undefined || vm.uid !== undefined ? undefined : afterFailedCreate(vm, error, ports.clock.now()),
    );
  }
  return "done";
}

/** A refusal is final. After anything else the host may have it all the same: it is searched for by name. */
function afterFailedCreate(vm: Microvm, error: FireRunnerError, now: number): Microvm {
  if (error.retryable) return { ...vm, createSentAt: now };
  const failure = vm.failure ?? { code: error.code, message: error.message };
  return { ...vm, phase: vm.phase === "deleting" ? "deleting" : "draining", drainingAt: vm.drainingAt ?? now, absentAt: now, failure };
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
  if ((await context.ports.flintlock.get(hostOf(effect.host, context), effect.uid)) !== undefined) return "again";
  await noteGone(effect, context);
  return "done";
}

async function noteGone(
  effect: { readonly vm: string; readonly host: string; readonly uid: string },
  { ports, soft, writes }: ExecutionContext,
): Promise<void> {
  soft.noteAbsent(effect.host, effect.uid);
  const absentAt = ports.clock.now();
  await writes.update("microvm", effect.vm, (vm) => (vm === undefined ? undefined : { ...vm, absentAt }));
}
