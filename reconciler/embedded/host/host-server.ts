import { once } from "node:events";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { Server, type ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { MicroVM as MicroVMService } from "../../../proto/gen/services/microvm/v1alpha1/microvms_pb.js";
import { grpcService } from "../../../proto/grpc.js";
import { FireRunnerError } from "../../model/errors.js";

export interface HostServerOptions {
  readonly address: string;
  readonly credentials: ServerCredentials;
  readonly calls: UntypedServiceImplementation;
}

interface Listening {
  readonly server: Server;
  readonly listener: NetServer;
  readonly disconnect: () => void;
}

/** A host's port. It knows the connections themselves, so that they can be cut as a network cuts them, without a word. */
export class HostServer {
  private listening: Listening | undefined;
  private readonly sockets = new Map<string, Socket>();

  constructor(private readonly options: HostServerOptions) {}

  /** Listens at a port, 0 takes a free one, and tells which; `FR-INVALID` when it cannot be had. */
  async open(port: number): Promise<number> {
    const { address, credentials, calls } = this.options;
    const server = new Server();
    server.addService(grpcService(MicroVMService), calls);
    const injector = server.createConnectionInjector(credentials);
    const listener = createServer({ noDelay: true }, (socket) => {
      this.track(socket);
      injector.injectConnection(socket);
    });
    this.listening = { server, listener, disconnect: () => injector.destroy() };
    listener.listen(port, address);
    try {
      await once(listener, "listening");
    } catch (error) {
      await this.close();
      const where = `${address}:${port}`;
      const text = error instanceof Error ? error.message : String(error);
      throw new FireRunnerError("FR-INVALID", `embedded host: cannot listen on ${where}: ${text}`, { cause: error });
    }
    const bound = listener.address();
    return typeof bound === "object" && bound !== null ? bound.port : port;
  }

  /** Ends the connection on which a call came; `peer` is as the call tells it. */
  cut(peer: string): void {
    this.sockets.get(peer)?.resetAndDestroy();
  }

  /** Closes the port and every connection at once. */
  async close(): Promise<void> {
    const { listening } = this;
    if (listening === undefined) return;
    this.listening = undefined;
    const closed = listening.listener.listening ? once(listening.listener, "close") : undefined;
    listening.listener.close();
    for (const socket of this.sockets.values()) socket.destroy();
    listening.server.forceShutdown();
    listening.disconnect();
    await closed;
  }

  private track(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.sockets.set(peer, socket);
    // A reset by the other side is told to whoever reads, and else would end the process.
    socket.on("error", () => undefined);
    socket.once("close", () => this.sockets.delete(peer));
  }
}
