import { afterAll, beforeAll, expect, it } from "vitest";
import { recordedCases, withoutUid } from "../../reconciler/embedded/host/recorded.fixture.js";
import { type WireClient, wireClient } from "../../reconciler/embedded/host/wire-client.fixture.js";
import { beginWorld } from "../e2e/begin-world.fixture.js";
import { startFlintlockd } from "./flintlockd.fixture.js";
import { describeFlintlockd } from "./world.fixture.js";

describeFlintlockd("a real flintlockd answers as it was recorded, and as the embedded host answers", () => {
  let host: { readonly client: WireClient; stop(): Promise<void> };
  beforeAll(async () => {
    host = await beginWorld("answers", async (directory, atEnd) => {
      const client = wireClient((await startFlintlockd(directory, atEnd, "stay")).endpoint);
      atEnd(() => client.close());
      return { client };
    });
  });
  afterAll(() => host?.stop());

  it.each(recordedCases.map((one) => [one.name, one] as const))("%s", async (_name, { method, request, ok, error }) => {
    expect(withoutUid(await host.client.call(method, request))).toEqual(withoutUid(error === undefined ? { ok } : { error }));
  });
});
