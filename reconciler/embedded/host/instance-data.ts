import { parse, stringify } from "yaml";
import { HostError } from "./host-error.js";

/** Adds the microVM's id to its `meta-data` (base64 of flat YAML), as a host does; throws its refusal of anything else. */
export function withInstanceId(metaData: string | undefined, uid: string): string {
  const given = metaData === undefined ? {} : readFlatYaml(decodeBase64(metaData));
  const entries = Object.entries({ instance_id: uid, ...given }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(stringify(Object.fromEntries(entries), { lineWidth: 0 })).toString("base64");
}

function readFlatYaml(text: string): Record<string, string> {
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch (error) {
    value = error;
  }
  const isFlat = typeof value === "object" && value !== null && !(value instanceof Error) && !Array.isArray(value);
  if (!isFlat || Object.values(value as object).some((entry) => typeof entry !== "string")) {
    throw new HostError("creating microvm: adding instance data: unmarshalling existing instance metadata: not a map of texts");
  }
  return value as Record<string, string>;
}

/** Standard base64 with padding; line ends are passed over. */
function decodeBase64(text: string): string {
  const illegal = /[^A-Za-z0-9+/=\r\n]/.exec(text)?.index;
  const body = text.replace(/[\r\n]/g, "");
  const fault = illegal ?? (/^(?:[^=]{4})*(?:[^=]{2}==|[^=]{3}=)?$/.test(body) ? undefined : text.length);
  if (fault === undefined) return Buffer.from(body, "base64").toString();
  const what = `decoding existing instance metadata: illegal base64 data at input byte ${fault}`;
  throw new HostError(`creating microvm: adding instance data: ${what}`);
}
