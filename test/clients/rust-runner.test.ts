import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startTestGitLab } from "../../reconciler/embedded/gitlab/gitlab.fixture.js";
import { until } from "../e2e/until.fixture.js";
import { describeWith, startRust } from "./clients.fixture.js";

/** An embedded GitLab with a pushed pipeline, and a runner of theirs at work on it. */
async function startCrateRunner(ciFile: string, settings: Readonly<Record<string, unknown>> = {}) {
  const world = await startTestGitLab();
  world.gitlab.setDials({ traceIntervalS: 1 });
  const { projectId } = await world.push("root/demo", { ".gitlab-ci.yml": ciFile });
  const { id: runnerId, token } = await world.runner(projectId, settings);
  const folder = mkdtempSync(join(tmpdir(), "crate-runner-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = startRust("take-jobs", world.gitlab.url, token, folder);
  const path = `/projects/${projectId}/jobs`;
  const job = async (name: string) => (await world.api("GET", path)).body.find((each: { readonly name: string }) => each.name === name);
  return {
    ...world,
    path,
    runnerId,
    folder,
    program,
    job,
    log: async (name: string) => (await world.api("GET", `${path}/${(await job(name)).id}/trace`)).text,
    is: (name: string, status: string) =>
      until(`${name} is ${status}`, async () => (await job(name)).status === status, { tell: () => program.said() }),
  };
}

describeWith("rust", "a runner on the crate gitlab-runner and the embedded GitLab agree on", () => {
  it("jobs that succeed and fail, their variables, their logs and who ran them", async () => {
    const { is, log, job, runnerId, api } = await startCrateRunner(
      `
variables: {TEAM: platform}
good:
  tags: [linux]
  script: [echo "for $TEAM", echo "job $CI_JOB_ID of $CI_PROJECT_PATH", echo to-stderr >&2]
  after_script: [echo "tidied up"]
bad: {tags: [linux], script: [echo before, exit 3, echo after]}
elsewhere: {tags: [windows], script: [echo never]}
`,
      { tag_list: ["linux"], run_untagged: false },
    );
    await Promise.all([is("good", "success"), is("bad", "failed")]);
    const good = await job("good");
    expect(await log("good")).toBe(`phase Script\nfor platform\njob ${good.id} of root/demo\nto-stderr\nphase AfterScript\ntidied up\n`);
    expect(good).toMatchObject({ runner: { id: runnerId }, runner_manager: { system_id: "r_crate1234567", status: "online" } });
    expect(await log("bad")).toMatch(/^phase Script\nbefore\nended with .*\n$/);
    // The crate tells no reason.
    expect(await job("bad")).toMatchObject({ failure_reason: "unknown_failure" });
    expect(await job("elsewhere")).toMatchObject({ status: "pending", runner: null });
    expect((await api("GET", `/runners/${runnerId}/jobs`)).body).toHaveLength(2);
  });

  it("a log that grows while the job runs, a cancel that ends it, and the retry", async () => {
    const { is, log, job, api, path, folder } = await startCrateRunner(`
long:
  script:
    - if [ -e ../seen ]; then echo again; exit 0; fi
    - touch ../seen
    - for i in $(seq 300); do echo tick; sleep 0.2; done
`);
    await is("long", "running");
    await until("the log grows", async () => (await log("long")).includes("tick\ntick\n"));
    const { id } = await job("long");
    await api("POST", `${path}/${id}/cancel`);
    await is("long", "canceled");
    await until("its files are taken away", () => !existsSync(join(folder, String(id))));

    const again = (await api("POST", `${path}/${id}/retry`)).body;
    await is("long", "success");
    expect((await job("long")).id).toBe(again.id);
    expect(await log("long")).toBe("phase Script\nagain\n");
    expect((await api("GET", `${path}/${id}/trace`)).text).toContain("tick\n");
    expect((await api("GET", `${path}/${id}`)).body).toMatchObject({ status: "canceled" });
  });

  it("a runner that is paused and unpaused, and one that is deleted while it runs its job", async () => {
    const { is, log, job, api, runnerId, program, folder } = await startCrateRunner(
      `one: {script: ['for i in $(seq 600); do [ -e ../go ] && break; sleep 0.1; done', echo went]}\ntwo: {stage: test, needs: [one], script: [echo never]}\n`,
      { paused: true },
    );
    expect(await program.next()).toEqual({ kind: "none" });
    expect(await program.next()).toEqual({ kind: "none" });
    expect((await job("one")).status).toBe("pending");
    await api("PUT", `/runners/${runnerId}`, { paused: false });
    await is("one", "running");
    expect((await api("DELETE", `/runners/${runnerId}`)).status).toBe(204);
    await until("it is refused", async () => (await program.next()).kind === "refused");
    writeFileSync(join(folder, "go"), "");
    await is("one", "success");
    expect(await log("one")).toContain("went\n");
    expect((await job("two")).status).toBe("pending");
  });
});
