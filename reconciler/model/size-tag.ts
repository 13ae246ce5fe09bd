import { type Pool, type Size, sizeSchema } from "./pool.js";

const pattern = /^([1-9]\d{0,3})cpu-([1-9]\d{0,3})gb$/;

/** The size of a name in a pool: one of its own or, where it has limits, what a tag such as `4cpu-8gb` asks for within them. */
export function sizeOf(pool: Pool, name: string): Size | undefined {
  if (Object.hasOwn(pool.sizes, name)) return pool.sizes[name];
  const asked = sizeOfTag(name);
  return asked === undefined || whyNot(pool, asked) !== undefined ? undefined : asked;
}

/** Why a pool does not give the size that a tag asks for; undefined when it does, or when the tag asks for none. */
export function whyNoSize(pool: Pool, tag: string): string | undefined {
  const asked = Object.hasOwn(pool.sizes, tag) ? undefined : sizeOfTag(tag);
  return asked === undefined ? undefined : whyNot(pool, asked);
}

/** What a tag asks for, whether or not it is possible. */
function sizeOfTag(tag: string): Size | undefined {
  const [, vcpu, gigabytes] = pattern.exec(tag) ?? [];
  return vcpu === undefined || gigabytes === undefined ? undefined : { vcpu: Number(vcpu), memoryMb: Number(gigabytes) * 1024 };
}

function whyNot({ limits }: Pool, asked: Size): string | undefined {
  if (limits === undefined) return "it has no limits, and so only the sizes that it names";
  if (asked.vcpu > limits.vcpu || asked.memoryMb > limits.memoryMb) return `its limits are ${limits.vcpu} vCPU and ${limits.memoryMb} MiB`;
  const { error } = sizeSchema.safeParse(asked);
  return error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join(", ");
}
