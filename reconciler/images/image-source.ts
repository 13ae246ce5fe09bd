/** Where skopeo finds an image. */
export interface ImageSource {
  readonly address: string;
  /** For the side of a copy that it comes from. */
  readonly flags: readonly string[];
}

const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?\//;

/** An image of a registry. One on loopback is asked without TLS when it has none, as container engines do. */
export function imageSource(reference: string): ImageSource {
  return { address: `docker://${reference}`, flags: loopback.test(reference) ? ["--src-tls-verify=false"] : [] };
}
