import { connect, type Socket } from "node:net";

/** An answer's status and its body as text. */
export interface LaneAnswer {
  readonly status: number;
  readonly body: string;
}

/** Longer than any answer here may take; what is asked then is given up, and the benchmark with it. */
const silenceMs = 60_000;
const headersEnd = Buffer.from("\r\n\r\n");

/**
 * One kept HTTP/1.1 connection for one request at a time. It only writes and reads bytes: Node's own client would
 * take as much of a processor as the service that it is to load. Answers must tell their content length.
 */
export class HttpLane {
  private readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  private waiting: { readonly resolve: (answer: LaneAnswer) => void; readonly reject: (error: Error) => void } | undefined;
  private broken: Error | undefined;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.setTimeout(silenceMs, () => this.break(new Error(`${url} said nothing for ${silenceMs / 1000} s`)));
    this.socket.on("data", (chunk) => this.take(chunk));
    this.socket.on("error", (error) => this.break(error));
    this.socket.on("close", () => this.break(new Error(`${url} closed the connection`)));
  }

  /** Rejects when the connection breaks. */
  send(request: Buffer): Promise<LaneAnswer> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const end = this.received.indexOf(headersEnd);
    if (end < 0) return;
    const head = this.received.toString("latin1", 0, end);
    const bodyFrom = end + headersEnd.length;
    const bodyTo = bodyFrom + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.received.length < bodyTo) return;
    const body = this.received.toString("utf8", bodyFrom, bodyTo);
    this.received = this.received.subarray(bodyTo);
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }

  private break(error: Error): void {
    this.broken ??= error;
    this.socket.destroy();
    this.waiting?.reject(error);
    this.waiting = undefined;
  }
}

/** The bytes of one request. */
export function httpRequest(method: string, url: string, headers: Readonly<Record<string, string>>, body = ""): Buffer {
  const { host, pathname, search } = new URL(url);
  const all = { host, ...headers, ...(body === "" ? {} : { "content-length": String(Buffer.byteLength(body)) }) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}
