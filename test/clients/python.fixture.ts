import { onTestFinished } from "vitest";
import { type Json, startTestGitLab, type TestGitLab } from "../../reconciler/embedded/gitlab/gitlab.fixture.js";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import { createGitLabForge } from "../../reconciler/forge/gitlab/gitlab-forge.js";
import type { ForgePort } from "../../reconciler/forge/port.js";
import { systemClock } from "../../reconciler/model/clock.js";
import { type Connection, connectionSchema } from "../../reconciler/model/connection.js";
import { startPython } from "./clients.fixture.js";

/** An embedded GitLab, and two who speak with it: python-gitlab, and the product's own adapter. */
export interface PythonWorld extends TestGitLab {
  /** A call of python-gitlab; rejects when GitLab refuses it. */
  python(call: string, args?: Readonly<Record<string, unknown>>): Promise<Json>;
  /** The status of a call that GitLab refuses, and why; rejects when it does not. */
  refused(call: string, args?: Readonly<Record<string, unknown>>): Promise<readonly [status: number, message: string]>;
  readonly forge: ForgePort;
  connection(projectId: number): Connection;
}

/** Starts all three; they end with the test. */
export async function startPythonWorld(): Promise<PythonWorld> {
  const world = await startTestGitLab();
  const program = startPython(world.gitlab);
  const forge = createGitLabForge({ clock: systemClock, random: seededRandom(), resolveSecret: () => world.gitlab.token });
  onTestFinished(() => forge.stop());
  return {
    ...world,
    async python(call, args = {}) {
      const said = await program.ask({ call, ...args });
      if ("refused" in said) throw new Error(`${call} was refused: ${said.refused} ${said.message}`);
      return said.answer;
    },
    async refused(call, args = {}) {
      const said = await program.ask({ call, ...args });
      if (!("refused" in said)) throw new Error(`${call} was answered: ${JSON.stringify(said.answer)}`);
      return [said.refused, said.message];
    },
    forge,
    connection: (projectId) =>
      connectionSchema.parse({ name: "embedded", kind: "gitlab", url: world.gitlab.url, token: "env:TOKEN", scope: { projectId } }),
  };
}
