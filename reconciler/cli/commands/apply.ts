import { defineCommand } from "citty";
import { z } from "zod";
import { FireRunnerError } from "../../model/errors.js";
import { fleetSchema } from "../../model/fleet.js";
import type { Refusal } from "../../model/validation.js";
import { checkYaml, parseYaml, readYamlFile, refusedInFile, type YamlFile } from "../../yaml-file.js";
import { createAdminClient } from "../admin-client.js";
import { clientArgs, clientSettings } from "../client-settings.js";
import type { Colour, Terminal } from "../terminal.js";

const resultsSchema = z.object({
  results: z.array(
    z.object({
      kind: z.string(),
      name: z.string(),
      outcome: z.enum(["created", "changed", "reordered", "unchanged"]),
      generation: z.int(),
    }),
  ),
});

const colours: Readonly<Record<string, Colour>> = { created: "green", changed: "yellow", reordered: "yellow", unchanged: "dim" };

/** `firerunner apply -f FLEET`: declares what a fleet file says, all of it or nothing. */
export const applyCommand = (terminal: Terminal) =>
  defineCommand({
    meta: {
      name: "firerunner apply",
      description: "Declare the hosts, images, connections and pools of a fleet file: all of it or nothing",
    },
    args: {
      file: { type: "string", alias: "f", required: true, valueHint: "path", description: "The fleet file; - reads standard input" },
      ...clientArgs,
    },
    async run({ args }) {
      const file =
        args.file === "-" ? parseYaml(terminal.readInput(), "standard input", "FR-INVALID") : readYamlFile(args.file, "FR-INVALID");
      // Checked here too, so that what is plainly wrong needs no service to be found.
      checkYaml(fleetSchema, file, "FR-INVALID");
      const client = createAdminClient(await clientSettings(args, terminal.env));
      const answer = await client.put("/v1/fleet", file.value).catch((error: unknown) => {
        throw inFile(error, file);
      });
      for (const { kind, name, outcome, generation } of resultsSchema.parse(answer).results) {
        terminal.print(`${kind}/${name} ${terminal.style(outcome, colours[outcome] ?? "dim")} (generation ${generation})`);
      }
    },
  });

/** The service names fields; the file knows the lines. */
function inFile(error: unknown, file: YamlFile): unknown {
  if (!(error instanceof FireRunnerError) || error.code !== "FR-INVALID" || error.details.refusals === undefined) return error;
  return refusedInFile(error.details.refusals as readonly Refusal[], file, "FR-INVALID");
}
