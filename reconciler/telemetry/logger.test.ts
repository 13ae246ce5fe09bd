import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FireRunnerError } from "../model/errors.js";
import { createLogger, type LogLevel } from "./logger.js";

function capture(level: LogLevel = "debug", env: Record<string, string> = {}) {
  const lines: string[] = [];
  return { logger: createLogger({ level, env, destination: { write: (line) => lines.push(line) } }), lines, text: () => lines.join("") };
}

const secret = "s3cr3t-value-0815";

describe("the logger", () => {
  it("hides values under secret names at every depth", () => {
    const { logger, text } = capture();
    logger.info(
      {
        token: secret,
        sealedToken: secret,
        headers: { authorization: `Bearer ${secret}`, "x-gitlab-token": secret, "private-token": secret, cookie: secret, accept: "*/*" },
        connection: { webhook: { secret, signingToken: secret } },
        list: [{ deep: [{ deeper: { password: secret, nonce: secret, sessionSecret: { raw: secret } } }] }],
        rawHeaders: ["X-Gitlab-Token", secret, "Accept", "json"],
        headersByName: new Map([["webhook-signature", secret]]),
      },
      "a hook came",
    );
    expect(text()).not.toContain(secret);
    expect(text()).toContain('"accept":"*/*"');
    expect(text()).toContain("a hook came");
  });

  it("hides whole configurations and bodies", () => {
    const { logger, text } = capture();
    logger.info(
      { config: `[[runners]]\n  token = "${secret}"`, body: { a: secret }, rawBody: Buffer.from(secret), runnerConfig: secret },
      "claimed",
    );
    expect(text()).not.toContain(secret);
    expect(text()).not.toContain(Buffer.from(secret).toString("base64"));
  });

  it("hides what looks like a secret in messages, errors, causes and children", () => {
    const { logger, text } = capture();
    const shapes = [`glrt-${secret}`, `Bearer ${secret}`, `https://user:${secret}@gitlab.example`, `whsec_${secret}`, `token=${secret}`];
    const cause = new Error(`refused PRIVATE-TOKEN: ${secret}`);
    for (const shape of shapes) {
      logger.warn(
        { error: new FireRunnerError("FR-FORGE-REJECTED", `POST ${shape}`, { cause, details: { token: secret } }) },
        `tried ${shape}`,
      );
      logger.child({ url: shape, token: secret }).error({}, "in a child");
    }
    expect(text()).not.toContain(secret);
    expect(text()).toContain("FR-FORGE-REJECTED");
  });

  it("never shows a secret, wherever in an object it stands under a secret name", () => {
    const { logger, lines } = capture();
    const names = fc.constantFrom("token", "Authorization", "X-Gitlab-Token", "webhookSecret", "password", "sealedToken", "privateKey");
    const path = fc.array(fc.constantFrom("a", "b", "list", "details"), { maxLength: 12 });
    fc.assert(
      fc.property(names, path, (name, keys) => {
        lines.length = 0;
        logger.info(
          keys.reduce<Record<string, unknown>>((inner, key) => ({ [key]: key === "list" ? [inner] : inner }), { [name]: secret }),
          "x",
        );
        return lines.length === 1 && !lines.join("").includes(secret);
      }),
    );
  });

  it("writes one line of JSON that has level, time, fields and message", () => {
    const { logger, lines } = capture();
    logger.child({ connection: "gl" }).info({ job: "gl/1/2", traceId: "ab" }, "job seen");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "info",
      connection: "gl",
      job: "gl/1/2",
      traceId: "ab",
      message: "job seen",
    });
  });

  it("follows LOG_LEVEL before its own level, and refuses levels that do not exist", () => {
    const quiet = capture("debug", { LOG_LEVEL: "error" });
    quiet.logger.info({}, "not shown");
    expect(quiet.lines).toEqual([]);
    const loud = capture("error", { LOG_LEVEL: "DEBUG" });
    loud.logger.debug({}, "shown");
    expect(loud.lines).toHaveLength(1);
    expect(() => capture("info", { LOG_LEVEL: "loud" })).toThrow(/LOG_LEVEL: "loud" is refused: must be one of debug, info, warn, error/);
  });

  it("survives objects that contain themselves", () => {
    const { logger, lines } = capture();
    const ring: Record<string, unknown> = { name: "ring" };
    ring.self = ring;
    logger.info({ ring }, "round");
    expect(lines).toHaveLength(1);
  });

  it("takes a long text that nearly holds an address with a password in its stride", () => {
    const { logger, lines } = capture();
    logger.info({ text: `://${":".repeat(1_000_000)}` }, "from a guest");
    logger.info({ text: "fetching https://user:pa:ss@registry.example/x" }, "an address");
    expect(lines[1]).toContain("https://[redacted]@registry.example/x");
  });
});
