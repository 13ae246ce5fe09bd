import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A place where a replica listens, and where it says whether it is ready. */
export interface Backend {
  readonly port: number;
  readonly readyUrl: string;
  readonly token: string;
}

/**
 * A load balancer as people put before replicas: TCP, to those in turn that say that they are ready, and to the next when one takes no
 * connection. One that does not say in time is late, and gets connections only while nobody is ready: where all are late it may be that
 * the balancer is.
 */
export interface Balancer {
  readonly port: number;
  add(backend: Backend): void;
  stop(): Promise<void>;
}

const askEveryMs = 100;
const askMs = 1_000;
const mostTries = 3;

/** What a replica was when it was asked last. */
type State = "ready" | "late" | "away";

/** Starts a balancer on a free port of loopback. Connections to a replica that is ready no more are cut. */
export async function startBalancer(): Promise<Balancer> {
  const open = new Map<Backend, Set<Socket>>();
  const asking: Promise<void>[] = [];
  const states = new Map<Backend, State>();
  const those = (state: State) => [...states].filter(([, its]) => its === state).map(([backend]) => backend);
  let turn = 0;
  let isStopped = false;

  /** Goes to the next one that is ready, and on to another when that one does not take the connection. */
  function dispatch(near: Socket, tries: number): void {
    const ready = those("ready");
    const candidates = ready.length > 0 ? ready : those("late");
    const backend = candidates[turn++ % Math.max(candidates.length, 1)];
    if (backend === undefined || tries === 0 || near.destroyed) {
      near.destroy();
      return;
    }
    const far = connect(backend.port, "127.0.0.1");
    far.once("error", () => far.destroy());
    const refused = () => dispatch(near, tries - 1);
    far.once("close", refused);
    far.once("connect", () => {
      far.off("close", refused);
      join(near, far, backend);
    });
  }

  function join(near: Socket, far: Socket, backend: Backend): void {
    const sockets = open.get(backend);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets?.add(socket);
      socket.once("close", () => {
        sockets?.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
    if (near.destroyed) far.destroy();
  }

  const server: Server = createServer((near) => {
    near.on("error", () => near.destroy());
    dispatch(near, mostTries);
  });

  async function ask(backend: Backend): Promise<void> {
    while (!isStopped) {
      const signal = AbortSignal.timeout(askMs);
      const answer = await fetch(backend.readyUrl, { headers: { authorization: `Bearer ${backend.token}` }, signal }).catch(
        () => undefined,
      );
      await answer?.text().catch(() => "");
      const state = answer?.status === 200 ? "ready" : answer === undefined && signal.aborted ? "late" : "away";
      states.set(backend, state);
      if (state !== "ready") for (const socket of open.get(backend) ?? []) socket.destroy();
      await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    }
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    add(backend) {
      open.set(backend, new Set());
      asking.push(ask(backend));
    },
    async stop() {
      isStopped = true;
      const closed = new Promise((resolve) => server.close(resolve));
      for (const sockets of open.values()) for (const socket of sockets) socket.destroy();
      await Promise.all(asking);
      await closed;
    },
  };
}
