/** The reasons that a runner may report, in GitLab's words; it learns them with each job. */
export const runnerFailureReasons = [
  "unknown_failure",
  "script_failure",
  "runner_system_failure",
  "job_execution_timeout",
  "image_pull_failure",
  "runner_configuration_error",
  "runner_external_dependency_failure",
  "runner_interrupted",
] as const;

/** Why a job failed: a runner's word, or one that only GitLab itself says. */
export type FailureReason = (typeof runnerFailureReasons)[number] | "stuck_or_timeout_failure" | "trace_size_exceeded";

/** The reason that a runner's word means; a word that is not known is `unknown_failure`. */
export function failureReasonOf(word: string | undefined): FailureReason {
  return runnerFailureReasons.find((reason) => reason === word) ?? "unknown_failure";
}
