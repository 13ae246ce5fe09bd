/** The program whose states are kept in `test/fixtures/pulumi-state`: one resource of each type. It never changes. */
export const oldStateProgram = `
new firerunner.FlintlockHost("host", {
  endpoint: "127.0.0.1:1",
  capacity: { vcpu: 4, memoryMb: 4096, microvms: 4 },
  labels: { zone: "a" },
  network: { mode: "static", subnet: "10.92.0.0/24", gateway: "10.92.0.1" },
});
const image = new firerunner.MicrovmImage("image", {
  kernel: { image: "registry.invalid/kernel@sha256:${"a".repeat(64)}" },
  rootfs: { image: "registry.invalid/shell@sha256:${"b".repeat(64)}" },
});
const connection = new firerunner.GitLabConnection("connection", {
  name: "gitlab",
  url: "http://127.0.0.1:1",
  token: "env:GITLAB_TOKEN",
  scope: { groupId: 7 },
});
new firerunner.RunnerPool("pool", {
  connection: connection.name,
  image: image.name,
  tags: ["never"],
  sizes: { small: { vcpu: 1, memoryMb: 1024 } },
  size: "small",
  maxMicrovms: 2,
});
`;
