import { describe, expect, it } from "vitest";
import { ManualClock } from "../../../model/manual-clock.fixture.js";
import { startTestGitLab } from "../gitlab.fixture.js";

const minute = 60_000;

async function limited() {
  const clock = new ManualClock(30_000_000 * minute + 20_000);
  return { ...(await startTestGitLab(clock)), clock };
}

describe("a rate limit", () => {
  it("of each token is told with every answer, and refuses what is more until the period is over", async () => {
    const { api, as, settle, gitlab, clock } = await limited();
    const other = await settle.userToken(["read_api"]);
    expect((await api("GET", "/version")).headers.get("ratelimit-limit")).toBeNull();
    gitlab.setDials({ rateLimits: { perToken: { requests: 2 } } });
    const first = await api("GET", "/version");
    expect(Object.fromEntries([...first.headers].filter(([name]) => name.startsWith("ratelimit-")))).toEqual({
      "ratelimit-name": "throttle_authenticated_api",
      "ratelimit-limit": "2",
      "ratelimit-observed": "1",
      "ratelimit-remaining": "1",
      "ratelimit-reset": String((clock.now() + 40_000) / 1000),
      "ratelimit-resettime": new Date(clock.now() + 40_000).toUTCString(),
    });
    expect((await api("GET", "/projects/7")).headers.get("ratelimit-remaining")).toBe("0");
    const refused = await api("GET", "/version");
    expect(refused).toMatchObject({ status: 429, text: "Retry later\n" });
    expect([refused.headers.get("retry-after"), refused.headers.get("ratelimit-observed")]).toEqual(["40", "3"]);
    expect((await as(other, "GET", "/version")).status).toBe(200);
    await clock.advance(40_000);
    expect((await api("GET", "/version")).status).toBe(200);
  });

  it("of one endpoint leaves the others alone, and counts runners by the token in their body", async () => {
    const { api, take, gitlab, clock } = await limited();
    const tokens = await Promise.all(
      [1, 2].map(async () => (await api("POST", "/user/runners", { runner_type: "instance_type" })).body.token),
    );
    gitlab.setDials({ rateLimits: { endpoints: [{ path: "^POST /api/v4/jobs/request$", requests: 1, periodS: 10 }] } });
    expect((await take(tokens[0])).status).toBe(204);
    const refused = await take(tokens[0]);
    expect(refused).toMatchObject({ status: 429, body: { message: { error: expect.stringContaining("too many times") } } });
    expect([refused.headers.get("retry-after"), refused.headers.get("ratelimit-limit")]).toEqual(["10", "6"]);
    expect((await take(tokens[1])).status).toBe(204);
    expect((await api("GET", "/version")).status).toBe(200);
    await clock.advance(10_000);
    expect((await take(tokens[0])).status).toBe(204);
  });
});
