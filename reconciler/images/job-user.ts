/**
 * Commands, run in a root file system's folder, by which jobs get a user of their own: away from their runner, whose token
 * and memory they cannot reach. The guest agent finds it named in `/etc/firerunner/job-user`.
 */
export const jobUserCommands: readonly string[] = [
  "chroot . useradd --uid 1000 --user-group --create-home --shell /bin/bash job",
  "mkdir -p etc/firerunner && echo job >etc/firerunner/job-user",
];
