/** What a runner needs to know to take its one job. */
export interface RunnerConfig {
  readonly vm: string;
  /** The forge's address. */
  readonly url: string;
  readonly runnerId: number;
  readonly token: string;
}

/**
 * gitlab-runner's configuration for one runner that runs one job at a time with bash. Where jobs are built is left to
 * the guest: only it knows its directories.
 */
export function runnerConfigToml({ vm, url, runnerId, token }: RunnerConfig): string {
  return `concurrent = 1
log_level = "info"

[[runners]]
  name = ${tomlText(vm)}
  url = ${tomlText(url)}
  id = ${runnerId}
  token = ${tomlText(token)}
  executor = "shell"
  shell = "bash"
`;
}

/** A basic string of TOML: JSON's strings are such, but for the one control character that JSON leaves as it is. */
export function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}
