/** The lines that a job's script wrote, at most `limit`: without the runner's own about preparing and cleaning up. */
export function scriptOutput(log: string, limit: number): readonly string[] {
  const lines = plain(log)
    .split("\n")
    .map((line) => line.trimEnd());
  const first = lines.findIndex((line) => line.startsWith("$ "));
  const script = first === -1 ? [] : lines.slice(first).filter((line) => line !== "");
  return script.length <= limit ? script : [...script.slice(0, limit - 1), `… ${script.length - limit + 1} more lines`];
}

/** Section marks and colours are for GitLab's page; other control characters for nobody. */
function plain(log: string): string {
  return log
    .replace(/section_(?:start|end):\d+:[^\r\n]*\r/g, "")
    .replace(/\p{Cc}\[[0-9;]*[A-Za-z]/gu, "")
    .replace(/(?!\n)\p{Cc}/gu, "");
}
