/** Keywords at the top of a file that are no jobs. */
export const topKeywords: ReadonlySet<string> = new Set([
  "stages",
  "default",
  "variables",
  "before_script",
  "after_script",
  "image",
  "services",
  "cache",
  "include",
  "workflow",
  "spec",
  "types",
]);

/** What `default:` may hold. */
export const defaultKeywords: ReadonlySet<string> = new Set([
  "after_script",
  "artifacts",
  "before_script",
  "cache",
  "hooks",
  "id_tokens",
  "identity",
  "image",
  "interruptible",
  "retry",
  "services",
  "tags",
  "timeout",
]);

/** Accepted and without effect: jobs run in a shell, which has no containers, and no pipeline is cancelled for a newer one. */
export const ignoredKeywords: ReadonlySet<string> = new Set(["image", "services", "interruptible", "extends"]);

/** Keywords of GitLab that would change what runs, and that the embedded GitLab does not know. */
const unsupportedKeywords: ReadonlyMap<string, string> = new Map([
  ["rules", "a job is always part of the pipeline; use when"],
  ["only", "a job is always part of the pipeline"],
  ["except", "a job is always part of the pipeline"],
  ["workflow", "every push makes a pipeline"],
  ["include", "put all jobs into this file"],
  ["spec", "put the values into variables"],
  ["inputs", "put the values into variables"],
  ["types", "use stages"],
  ["type", "use stage"],
  ["trigger", "child and downstream pipelines do not exist here"],
  ["parallel", "write one job for each"],
  ["cache", "jobs start from a fresh clone"],
  ["artifacts", "no files pass from job to job"],
  ["dependencies", "no files pass from job to job; use needs for the order"],
  ["environment", "deployments are not recorded"],
  ["inherit", "repeat the keyword in the job to replace a default"],
  ["run", "use script"],
  ["hooks", "use before_script"],
  ["coverage", "logs are not searched"],
  ["id_tokens", "no tokens are issued"],
  ["identity", "no tokens are issued"],
  ["secrets", "use variables"],
  ["release", "releases are not made"],
  ["pages", "pages are not published"],
  ["publish", "pages are not published"],
  ["dast_configuration", "scanners do not run"],
  ["manual_confirmation", "a manual job starts when it is told to"],
]);

/** What to say of a keyword that cannot be used; `where` ends "is not a keyword of ...". */
export function refuseKeyword(keyword: string, where: string): string {
  const hint = unsupportedKeywords.get(keyword);
  return hint === undefined ? `is not a keyword of ${where}` : `is not supported by the embedded GitLab: ${hint}`;
}
