import type { Socket } from "node:net";
import { ChannelCredentials } from "@grpc/grpc-js";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

const keepAliveMs = 30_000;

/**
 * Credentials that know the sockets of their channel. Closing a channel leaves a connection on which the other side never
 * said a word open for ever, and a dead peer is not noticed: both need the socket itself.
 */
export class TrackedCredentials extends ChannelCredentials {
  private readonly sockets = new Set<Socket>();
  private closed = false;

  constructor(private readonly inner: ChannelCredentials) {
    super();
  }

  override _isSecure(): boolean {
    return this.inner._isSecure();
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(...target: Parameters<ChannelCredentials["_createSecureConnector"]>): SecureConnector {
    const connector = this.inner._createSecureConnector(...target);
    return {
      connect: (socket) => {
        this.track(socket);
        return connector.connect(socket);
      },
      waitForReady: () => connector.waitForReady(),
      getCallCredentials: () => connector.getCallCredentials(),
      destroy: () => connector.destroy(),
    };
  }

  /** The same credentials for another channel. */
  again(): TrackedCredentials {
    return new TrackedCredentials(this.inner);
  }

  /** Ends every connection, and those that are only now made. */
  close(): void {
    this.closed = true;
    for (const socket of this.sockets) socket.destroy();
  }

  private track(socket: Socket): void {
    socket.setKeepAlive(true, keepAliveMs);
    this.sockets.add(socket);
    socket.once("close", () => this.sockets.delete(socket));
    if (this.closed) socket.destroy();
  }
}
