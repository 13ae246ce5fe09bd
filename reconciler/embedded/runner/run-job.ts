import { join } from "node:path";
import type { Clock } from "../../model/clock.js";
import { FireRunnerError } from "../../model/errors.js";
import { composeScript, composeSources } from "./compose-script.js";
import type { FailureReason, JobEnd } from "./coordinator.js";
import { type JobLog, paint } from "./job-log.js";
import type { JobStop } from "./job-stop.js";
import type { JobUser } from "./job-user.js";
import type { JobStep, JobVariable, ReceivedJob } from "./received-job.js";
import { runScript, type ScriptEnd } from "./run-script.js";
import { expandVariables } from "./variables.js";
import { closeWorkspace, findProgram, nameWorkspace, openWorkspace, type Workspace, writeFor, writeVariables } from "./workspace.js";

export interface JobOptions {
  readonly job: ReceivedJob;
  readonly log: JobLog;
  readonly stop: JobStop;
  readonly clock: Clock;
  readonly buildsDir: string;
  /** Runs the job's commands; the runner's own user when undefined. */
  readonly user: JobUser | undefined;
  /** What the job sees of the runner's own environment. */
  readonly inherited: Readonly<Record<string, string>>;
  readonly killGraceMs: number;
  readonly systemId: string;
}

const afterScriptLimitMs = 300_000;
const afterScript = "after_script";
const exportable = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What came of a step, as the next one's `when` and the job's end see it. */
type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly code: number }
  | { readonly kind: "broken"; readonly why: string };

const passed: Outcome = { kind: "passed" };

/**
 * Runs a job to its end: makes its directories, fetches its files, runs its steps, then its after_script, and writes
 * the last line of the log. Never rejects.
 */
export async function runJob(options: JobOptions): Promise<JobEnd> {
  const { job, log, stop, clock } = options;
  const cancelTimeout = clock.after(job.timeoutS * 1000, () => stop.stop("timeout"));
  try {
    const outcome = await new JobRun(options).run();
    return tellEnd(job, log, outcome);
  } catch (caught) {
    const { message } = FireRunnerError.from(caught, "FR-INTERNAL", `preparing ${job.name}`);
    return tellEnd(job, log, { stopped: stop.reason, outcome: { kind: "broken", why: message } });
  } finally {
    cancelTimeout();
  }
}

interface RunEnd {
  /** Why the steps did not come to their own end. */
  readonly stopped: JobStop["reason"];
  readonly outcome: Outcome;
}

class JobRun {
  private readonly workspace: Workspace;
  private readonly variables: readonly JobVariable[];
  private env: Readonly<Record<string, string>> = {};

  constructor(private readonly options: JobOptions) {
    const { job, buildsDir } = options;
    this.workspace = nameWorkspace(buildsDir, job.git.repoUrl);
    this.variables = expandVariables([...job.variables, ...ownVariables(this.workspace, job)]);
  }

  async run(): Promise<RunEnd> {
    const { log, job, systemId } = this.options;
    log.say(`\u001b[0KRunning with the embedded runner of FireRunner\u001b[0;m`);
    log.say(`\u001b[0K  system ID: ${systemId}\u001b[0;m`);
    try {
      await log.section("prepare_script", "Preparing environment", () => this.prepare());
      let outcome = await log.section("get_sources", "Getting source from Git repository", () => this.fetchSources());
      for (const step of job.steps.filter(({ name }) => name !== afterScript)) outcome = await this.step(step, outcome);
      const stopped = this.options.stop.reason;
      await this.afterScript(stopped, outcome);
      return { stopped, outcome };
    } finally {
      await this.close();
    }
  }

  /** What is left behind is no fault of the job, but whoever runs the machine should know. */
  private async close(): Promise<void> {
    try {
      await closeWorkspace(this.workspace);
    } catch (caught) {
      const { message } = FireRunnerError.from(caught, "FR-INTERNAL", `removing ${this.workspace.filesDir}`);
      this.options.log.say(paint.yellow(`WARNING: ${message}`));
    }
  }

  private async prepare(): Promise<void> {
    const { log, inherited, user } = this.options;
    await openWorkspace(this.workspace, user, this.value("GIT_STRATEGY") === "none");
    for (const { key } of this.variables.filter((each) => !exportable.test(each.key))) {
      log.say(paint.yellow(`WARNING: the variable ${JSON.stringify(key)} is left out: its name cannot be exported`));
    }
    const exported = await writeVariables(
      this.variables.filter(({ key }) => exportable.test(key)),
      this.workspace,
      user,
    );
    const own = user === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name };
    this.env = { ...inherited, ...own, ...exported };
  }

  private async fetchSources(): Promise<Outcome> {
    const { job, log } = this.options;
    const strategy = this.value("GIT_STRATEGY");
    if (strategy === "none" || strategy === "empty" || job.git.repoUrl === "" || job.git.sha === "") {
      log.say(paint.green("Skipping Git repository setup"));
      return passed;
    }
    const submodules = this.value("GIT_SUBMODULE_STRATEGY") ?? "none";
    if (submodules !== "none") log.say(paint.yellow("WARNING: submodules are not fetched by the embedded runner"));
    const depth = Number(this.value("GIT_DEPTH") ?? job.git.depth);
    const { url, token } = splitCredentials(job.git.repoUrl, job.token);
    const text = composeSources({ ...job.git, repoUrl: url, depth: Number.isSafeInteger(depth) && depth > 0 ? depth : 0 });
    const end = await this.script("get_sources", text, { GIT_TERMINAL_PROMPT: "0", CI_JOB_TOKEN: token }, this.options.stop.scriptSignal);
    if (end.kind === "exited" && end.code === 0) return passed;
    return { kind: "broken", why: end.kind === "exited" ? `getting the source failed with exit status ${end.code}` : end.why };
  }

  private async step(step: JobStep, before: Outcome): Promise<Outcome> {
    const { log, stop } = this.options;
    const wanted = step.when === "always" || (step.when === "on_success") === (before.kind === "passed");
    if (!wanted || before.kind === "broken" || stop.scriptSignal.aborted) return before;
    const name = `step_${step.name}`;
    const end = await log.section(name, `Executing "${name}" stage of the job script`, () =>
      this.script(name, composeScript(step.script), {}, stop.scriptSignal),
    );
    if (end.kind === "not-started") return { kind: "broken", why: end.why };
    return end.code === 0 || step.allowFailure ? before : { kind: "failed", code: end.code };
  }

  /** Whatever comes of it, the job's end stands already. */
  private async afterScript(stopped: JobStop["reason"], outcome: Outcome): Promise<void> {
    const { log, job, stop, clock } = this.options;
    const commands = job.steps.filter(({ name }) => name === afterScript).flatMap(({ script }) => script);
    if (commands.length === 0 || outcome.kind === "broken" || stop.signal.aborted) return;
    const status = stopped === "cancel" ? "canceled" : outcome.kind === "passed" ? "success" : "failed";
    const limit = new AbortController();
    const cancelLimit = clock.after(afterScriptLimitMs, () => limit.abort());
    const end = await log.section(afterScript, "Running after_script", () =>
      this.script(afterScript, composeScript(commands), { CI_JOB_STATUS: status }, AbortSignal.any([stop.signal, limit.signal])),
    );
    cancelLimit();
    if (end.kind === "exited" && end.code === 0) return;
    const why = limit.signal.aborted ? "it took longer than 5 minutes" : end.kind === "exited" ? `exit status ${end.code}` : end.why;
    log.say(paint.yellow(`WARNING: after_script failed, but the job goes on unaffected: ${why}`));
  }

  private async script(name: string, text: string, env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<ScriptEnd> {
    const { inherited, log, clock, killGraceMs, user } = this.options;
    const bash = await findProgram("bash", inherited.PATH ?? "");
    const file = join(this.workspace.filesDir, `${name.replaceAll(/[^\w.-]/g, "_")}.sh`);
    await writeFor(user, file, text);
    return runScript({
      bash,
      file,
      directory: this.workspace.projectDir,
      env: { ...this.env, ...env },
      user,
      onOutput: (chunk) => log.write(chunk),
      stop: signal,
      clock,
      killGraceMs,
    });
  }

  private value(key: string): string | undefined {
    return this.variables.find((variable) => variable.key === key)?.value;
  }
}

/** What the runner tells the job of itself. */
function ownVariables({ buildsDir, projectDir }: Workspace, job: ReceivedJob): readonly JobVariable[] {
  const own: Readonly<Record<string, string>> = {
    CI_SERVER: "yes",
    CI_BUILDS_DIR: buildsDir,
    CI_PROJECT_DIR: projectDir,
    CI_CONCURRENT_ID: "0",
    CI_CONCURRENT_PROJECT_ID: "0",
    CI_JOB_TIMEOUT: String(job.timeoutS),
    CI_DISPOSABLE_ENVIRONMENT: "true",
  };
  return Object.entries(own).map(([key, value]) => ({ key, value, file: false, masked: false, raw: true }));
}

/** The address without a credential, and the credential: the one in the address, else the job's own token. */
function splitCredentials(repoUrl: string, jobToken: string): { readonly url: string; readonly token: string } {
  if (!URL.canParse(repoUrl)) return { url: repoUrl, token: jobToken };
  const url = new URL(repoUrl);
  const token = url.password === "" ? jobToken : decodeURIComponent(url.password);
  url.username = "";
  url.password = "";
  return { url: url.href, token };
}

function tellEnd(job: ReceivedJob, log: JobLog, { stopped, outcome }: RunEnd): JobEnd {
  const fail = (reason: FailureReason, why: string, exitCode?: number): JobEnd => {
    log.end(paint.red(`ERROR: Job failed${reason === "runner_system_failure" ? " (system failure)" : ""}: ${why}`));
    return { state: "failed", reason, exitCode };
  };
  if (stopped === "timeout") return fail("job_execution_timeout", `execution took longer than ${job.timeoutS} seconds`);
  if (stopped === "terminate") return fail("runner_system_failure", "aborted: terminated");
  if (stopped !== undefined) return fail("job_canceled", "canceled");
  if (outcome.kind === "broken") return fail("runner_system_failure", outcome.why);
  if (outcome.kind === "failed") return fail("script_failure", `exit status ${outcome.code}`, outcome.code);
  log.end(paint.green("Job succeeded"));
  return { state: "success" };
}
