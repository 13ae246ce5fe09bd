import { it } from "vitest";
import { runWithKills } from "../e2e/killed-service.fixture.js";

const seed = Number(process.env.FIRERUNNER_SEED ?? Math.floor(Math.random() * 2 ** 31));
const pipelines = Math.ceil(Number(process.env.FIRERUNNER_KILLS ?? "50") / 10);

it(`a service that is killed ten times in each of ${pipelines} pipelines loses no job and leaves nothing behind (FIRERUNNER_SEED=${seed})`, async () => {
  await runWithKills({ seed, pipelines });
});
