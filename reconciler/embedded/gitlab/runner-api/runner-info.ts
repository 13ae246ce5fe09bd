import { z } from "zod";

const text = z.string().max(255).optional().catch(undefined);

/** What a runner says about itself; anything odd in it is passed over. */
export const runnerInfo = z
  .object({
    version: text,
    revision: text,
    platform: text,
    architecture: text,
    features: z
      .object({ cancel_gracefully: z.boolean().optional().catch(undefined) })
      .optional()
      .catch(undefined),
  })
  .transform(({ features, version, revision, platform, architecture }) => ({
    ...(features === undefined ? {} : { features }),
    ...(version === undefined ? {} : { version }),
    ...(revision === undefined ? {} : { revision }),
    ...(platform === undefined ? {} : { platform }),
    ...(architecture === undefined ? {} : { architecture }),
  }))
  .optional()
  .catch(undefined);
