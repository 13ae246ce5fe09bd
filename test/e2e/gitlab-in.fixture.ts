import { join } from "node:path";
import { systemRandom } from "../../reconciler/control/random.js";
import { type EmbeddedGitLab, startEmbeddedGitLab } from "../../reconciler/embedded/gitlab/start.js";
import { systemClock } from "../../reconciler/model/clock.js";
import type { AtEnd } from "./begin-world.fixture.js";

/** Starts the GitLab of a world in the world's directory; it ends with the world. */
export async function startGitLabIn(directory: string, atEnd: AtEnd): Promise<EmbeddedGitLab> {
  const gitlab = await startEmbeddedGitLab({
    listen: "127.0.0.1:0",
    directory: join(directory, "gitlab"),
    clock: systemClock,
    random: systemRandom,
  });
  atEnd(() => gitlab.stop());
  return gitlab;
}
