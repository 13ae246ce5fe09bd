/** What a runner needs to know to take its one job. */
export interface RunnerConfig {
  readonly vm: string;
  /** The forge's address. */
  readonly url: string;
  readonly runnerId: number;
  readonly token: string;
  /** Runs jobs in containers, those that name no image in this one; without it their commands run in the microVM itself. */
  readonly docker?: { readonly image: string } | undefined;
}

/**
 * gitlab-runner's configuration for one runner that runs one job at a time, with bash or with the guest's own Docker
 * engine. Where jobs are built is left to the guest: only it knows its directories.
 */
export function runnerConfigToml({ vm, url, runnerId, token, docker }: RunnerConfig): string {
  return `concurrent = 1
log_level = "info"

[[runners]]
  name = ${tomlText(vm)}
  url = ${tomlText(url)}
  id = ${runnerId}
  token = ${tomlText(token)}
${docker === undefined ? shellToml : dockerToml(docker.image)}`;
}

const shellToml = `  executor = "shell"
  shell = "bash"
`;

/**
 * The engine serves one job and goes with it: images that the root file system brings are used as they are, which its
 * maker decides, and a job may ask for the newest. Nothing is kept for another job.
 */
const dockerToml = (image: string): string => `  executor = "docker"
  [runners.docker]
    image = ${tomlText(image)}
    privileged = false
    pull_policy = ["if-not-present"]
    allowed_pull_policies = ["always", "if-not-present"]
    volumes = ["/cache"]
`;

/** A basic string of TOML: JSON's strings are such, but for the one control character that JSON leaves as it is. */
export function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}
