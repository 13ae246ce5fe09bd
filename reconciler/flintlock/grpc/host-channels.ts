import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { type ChannelCredentials, Client, type ClientOptions, type ClientUnaryCall, credentials, Metadata } from "@grpc/grpc-js";
import { FireRunnerError } from "../../model/errors.js";
import type { Host } from "../../model/host.js";
import { TrackedCredentials } from "./tracked-credentials.js";

/** Answers of List hold the metadata of every microVM. */
const longestAnswerBytes = 256 * 1024 * 1024;

const options: ClientOptions = {
  "grpc.max_receive_message_length": longestAnswerBytes,
  "grpc.keepalive_time_ms": 310_000, // flintlockd cuts clients that ping more often than every five minutes.
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 250,
  "grpc.max_reconnect_backoff_ms": 10_000,
  // A new channel must mean a new connection: the old one may be dead.
  "grpc.use_local_subchannel_pool": 1,
  // What is retried is decided here and not by DNS; hosts are named directly and not reached through a proxy for the web.
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
};

/** A connection to one host with what belongs to it. */
export interface HostChannel {
  /** What it was made from, as a digest: tells whether anything has changed since. */
  readonly key: string;
  readonly client: Client;
  readonly credentials: TrackedCredentials;
  /** Sent with every call: the server's Basic token. */
  readonly headers: Metadata;
  /** The calls that run. */
  readonly calls: Set<ClientUnaryCall>;
}

interface Entry {
  /** The declared part of what it was made from: where the host is, and where certificates and token are found. */
  readonly declared: string;
  readonly channel: HostChannel;
}

/** One channel for each host, made when it is first wanted and again when endpoint, certificates or token have changed. */
export class HostChannels {
  private readonly entries = new Map<string, Entry>();
  /** Channels that take no new calls and wait for the end of those that run. */
  private readonly retired = new Set<HostChannel>();

  constructor(private readonly resolveSecret: (ref: string) => string) {}

  /**
   * The host's channel; `FR-CONFIG` when its certificates or its token cannot be read. Files are replaced one after the
   * other: as long as a key and a certificate do not fit, or one is missing, what was read before stays in use.
   */
  open(host: Host): HostChannel {
    const known = this.entries.get(host.name);
    const declared = JSON.stringify([host.endpoint, host.tls, host.token]);
    try {
      const token = host.token === undefined ? undefined : this.resolveSecret(host.token);
      const key = keyOf(host, token);
      if (known?.channel.key === key) return known.channel;
      const channel = connect(host, key, token);
      if (known !== undefined) this.retire(known.channel);
      this.entries.set(host.name, { declared, channel });
      return channel;
    } catch (caught) {
      if (known?.declared === declared) return known.channel;
      throw caught;
    }
  }

  /** A channel to the same host that connects anew, without the pauses that the old one had come to. */
  renew(host: Host): HostChannel {
    const { key, headers, credentials: old } = this.open(host);
    const entry = this.entries.get(host.name);
    const channel = channelTo(host, key, headers, old.again());
    if (entry !== undefined) {
      this.retire(entry.channel);
      this.entries.set(host.name, { ...entry, channel });
    }
    return channel;
  }

  /** Takes a channel out of use: the next call to its host connects anew. */
  discard(channel: HostChannel): void {
    for (const [name, entry] of this.entries) {
      if (entry.channel === channel) this.drop(name, entry);
    }
  }

  keepOnly(names: ReadonlySet<string>): void {
    for (const [name, entry] of this.entries) {
      if (!names.has(name)) this.drop(name, entry);
    }
  }

  /** To be called when a call on the channel has ended. */
  ended(channel: HostChannel, call: ClientUnaryCall): void {
    channel.calls.delete(call);
    if (this.retired.has(channel)) this.retire(channel);
  }

  private drop(name: string, { channel }: Entry): void {
    this.entries.delete(name);
    this.retire(channel);
  }

  private retire(channel: HostChannel): void {
    if (channel.calls.size > 0) {
      this.retired.add(channel);
      return;
    }
    this.retired.delete(channel);
    channel.client.close();
    channel.credentials.close();
  }
}

function connect(host: Host, key: string, token: string | undefined): HostChannel {
  return channelTo(host, key, headersOf(token), new TrackedCredentials(credentialsOf(host)));
}

function channelTo(host: Host, key: string, headers: Metadata, tracked: TrackedCredentials): HostChannel {
  // Without a scheme a host that is called "unix" would be taken for one.
  const client = new Client(`dns:${host.endpoint}`, tracked, options);
  return { key, client, credentials: tracked, headers, calls: new Set() };
}

/** Tells channels apart without holding a secret. */
function keyOf(host: Host, token: string | undefined): string {
  const files =
    "insecure" in host.tls ? "insecure" : [host.tls.caFile, host.tls.certFile, host.tls.keyFile].map((file) => versionOf(host, file));
  return createHash("sha256")
    .update(JSON.stringify([host.endpoint, host.tls, files, token]))
    .digest("hex");
}

function versionOf(host: Host, file: string | undefined): string {
  if (file === undefined) return "";
  const { mtimeMs, size, ino } = attempt(host, file, () => statSync(file));
  return `${mtimeMs}:${size}:${ino}`;
}

function credentialsOf(host: Host): ChannelCredentials {
  const { tls } = host;
  if ("insecure" in tls) return credentials.createInsecure();
  const read = (file: string | undefined) => (file === undefined ? null : attempt(host, file, () => readFileSync(file)));
  const files = [tls.caFile, tls.certFile, tls.keyFile];
  const [ca = null, cert = null, key = null] = files.map(read);
  const named = files.filter((file) => file !== undefined).join(", ");
  return attempt(host, named, () => {
    // A file without any certificate would be taken, and then trust nobody.
    if (ca !== null) new X509Certificate(ca);
    return credentials.createSsl(ca, key, cert);
  });
}

function attempt<T>(host: Host, files: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new FireRunnerError("FR-CONFIG", `host "${host.name}": the TLS files ${files} cannot be used: ${text}`, { cause });
  }
}

function headersOf(token: string | undefined): Metadata {
  const headers = new Metadata();
  // Flintlock's scheme is Basic over the token itself, without a user name.
  if (token !== undefined) headers.set("authorization", `Basic ${Buffer.from(token).toString("base64")}`);
  return headers;
}
