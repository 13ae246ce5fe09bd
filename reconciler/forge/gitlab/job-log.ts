import type { Connection } from "../../model/connection.js";
import { attempted } from "./failure.js";
import { type GitLabCalls, known, needs } from "./gitlab-calls.js";
import { type Sender, send } from "./send.js";

/**
 * A job's log as text, or undefined when GitLab does not know the job. Of a log that is longer than is read the end is
 * given, from the beginning of a line, below a line that says how much is missing.
 */
export function readJobLog(
  { calls, limits }: GitLabCalls,
  sender: Sender,
  connection: Connection,
  projectId: number,
  jobId: number,
): Promise<string | undefined> {
  const attempt = { connection, what: `reading the log of job ${jobId} of project ${projectId}`, needs: needs.readJobs };
  const request = {
    method: "GET",
    url: `${connection.url}/api/v4/projects/${projectId}/jobs/${jobId}/trace`,
    headers: { accept: "text/plain", "user-agent": "firerunner" },
    body: undefined,
  };
  return calls.run(attempted(attempt), limits.longCallMs, async (bounds) => {
    const answerBounds = { timeoutMs: limits.longCallMs, maxBytes: limits.maxLogBytes, larger: "keep-end" } as const;
    const answer = await known(send(sender, attempt, request, answerBounds, bounds));
    if (answer === undefined) return undefined;
    return answer.leftOutBytes === 0 ? answer.text : fromLine(answer.text, answer.leftOutBytes);
  });
}

function fromLine(text: string, leftOutBytes: number): string {
  const start = text.indexOf("\n") + 1;
  const missing = leftOutBytes + Buffer.byteLength(text.slice(0, start));
  return `[${missing} bytes at the beginning are left out]\n${text.slice(start)}`;
}
