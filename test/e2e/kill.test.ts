import { it } from "vitest";
import { runWithKills } from "./killed-service.fixture.js";

const seed = Number(process.env.FIRERUNNER_SEED ?? Math.floor(Math.random() * 2 ** 31));

it(`a service that is killed ten times during a pipeline loses no job and leaves nothing behind (FIRERUNNER_SEED=${seed})`, async () => {
  await runWithKills({ seed, pipelines: 1 });
}, 600_000);
