import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

const configSchema = z.object({ auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}) });

/**
 * The `user:password` in base64 that `docker login` keeps for a registry, in `$DOCKER_CONFIG/config.json` or
 * `~/.docker/config.json`; undefined when there is none. Credential helpers are not asked.
 */
export function registryCredential(registry: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const path = join(env.DOCKER_CONFIG ?? join(env.HOME ?? homedir(), ".docker"), "config.json");
  const { auths } = readConfig(path);
  const names = registry === "registry-1.docker.io" ? ["https://index.docker.io/v1/", "docker.io"] : [registry, `https://${registry}`];
  return names.map((name) => auths[name]?.auth).find((auth) => auth !== undefined && auth !== "");
}

/** Without a readable file, or with one of another form, registries are asked anonymously. */
function readConfig(path: string): z.output<typeof configSchema> {
  try {
    return configSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return { auths: {} };
  }
}
