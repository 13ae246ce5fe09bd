import { derivedKey, signature } from "./signing.js";

/** The metadata key under which a guest finds its boot data. */
export const bootKey = "firerunner-boot";

/** What a guest must know before it can claim its microVM. */
export interface BootData {
  readonly vm: string;
  readonly nonce: string;
  /** The guest listener as guests reach it. */
  readonly url: string;
  /** The certificate authority that guests trust, as PEM. */
  readonly caPem?: string;
}

/** Gives each microVM its nonce. It is computed from the service's key and the name: nothing secret has to be kept. */
export function createNonces(serviceKey: string): (vm: string) => string {
  const key = derivedKey(serviceKey, "guest-nonce");
  return (vm) => signature(key, [vm]);
}

/** Boot data as the agent reads it: one `key=value` line each, the authority in base64. */
export function bootText({ vm, nonce, url, caPem }: BootData): string {
  const lines = ["v=1", `vm=${vm}`, `nonce=${nonce}`, `url=${url.replace(/\/+$/, "")}`];
  if (caPem !== undefined) lines.push(`ca=${Buffer.from(caPem).toString("base64")}`);
  return `${lines.join("\n")}\n`;
}
