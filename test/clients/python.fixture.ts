import { onTestFinished } from "vitest";
import { type Json, startTestGitLab, type TestGitLab } from "../../reconciler/embedded/gitlab/gitlab.fixture.js";
import { seededRandom } from "../../reconciler/embedded/host/seeded-random.js";
import { createGitLabForge } from "../../reconciler/forge/gitlab/gitlab-forge.js";
import type { ForgePort } from "../../reconciler/forge/port.js";
import { systemClock } from "../../reconciler/model/clock.js";
import { type Connection, connectionSchema, type Scope } from "../../reconciler/model/connection.js";
import { startPython } from "./clients.fixture.js";

/** Two who speak with the embedded GitLab by the same access token: python-gitlab, and the product's own adapter. */
interface Speakers {
  /** A call of python-gitlab; rejects when GitLab refuses it. */
  python(call: string, args?: Readonly<Record<string, unknown>>): Promise<Json>;
  /** The status of a call that GitLab refuses, and why; rejects when it does not. */
  refused(call: string, args?: Readonly<Record<string, unknown>>): Promise<readonly [status: number, message: string]>;
  readonly forge: ForgePort;
  connection(scope: Scope): Connection;
}

export interface PythonWorld extends TestGitLab, Speakers {
  /** The same two with another token. */
  speakers(token: string): Speakers;
}

/** The ids of what was listed, in the list's order. */
export const idsOf = (listed: readonly { readonly id: number }[]): readonly number[] => listed.map(({ id }) => id);

/** Starts an embedded GitLab, and who speaks with it by the administrator's token. All end with the test. */
export async function startPythonWorld(): Promise<PythonWorld> {
  const world = await startTestGitLab();
  const { url } = world.gitlab;
  const speakers = (token: string): Speakers => {
    const program = startPython({ url, token });
    const forge = createGitLabForge({ clock: systemClock, random: seededRandom(), resolveSecret: () => token });
    onTestFinished(() => forge.stop());
    return {
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
      connection: (scope) => connectionSchema.parse({ name: "embedded", kind: "gitlab", url, token: "env:TOKEN", scope }),
    };
  };
  return { ...world, ...speakers(world.gitlab.token), speakers };
}
