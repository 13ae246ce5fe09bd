/** Why a job failed, in GitLab's words. */
const failureReasons = [
  "unknown_failure",
  "script_failure",
  "api_failure",
  "stuck_or_timeout_failure",
  "runner_system_failure",
  "runner_unsupported",
  "job_execution_timeout",
  "trace_size_exceeded",
  "image_pull_failure",
  "runner_configuration_error",
  "runner_external_dependency_failure",
  "runner_interrupted",
] as const;
export type FailureReason = (typeof failureReasons)[number];

/** The reasons that a runner may report; it learns them with each job. */
export const runnerFailureReasons: readonly FailureReason[] = [
  "unknown_failure",
  "script_failure",
  "runner_system_failure",
  "job_execution_timeout",
  "image_pull_failure",
  "runner_configuration_error",
  "runner_external_dependency_failure",
  "runner_interrupted",
];

/** The reason that a runner's word means; a word that is not known is `unknown_failure`. */
export function failureReasonOf(word: string | undefined): FailureReason {
  return runnerFailureReasons.find((reason) => reason === word) ?? "unknown_failure";
}
