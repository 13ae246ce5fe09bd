import { MicrovmImage, RunnerPool } from "firerunner";

// The embedded hosts of `npm start` boot no image: with `resolveTags: false` no registry is asked for these names.
const image = new MicrovmImage("shell", {
  kernel: { image: "registry.example/kernel:6.1" },
  rootfs: { image: "registry.example/shell:1" },
  resolveTags: false,
});

// `embedded` is the connection to the small GitLab that `npm start` has declared already.
const pool = new RunnerPool("pulumi", {
  connection: "embedded",
  image: image.name,
  tags: ["pulumi"],
  sizes: { small: { vcpu: 1, memoryMb: 1024 }, large: { vcpu: 2, memoryMb: 2048 } },
  size: "small",
  minIdle: 1,
  maxMicrovms: 3,
});

export const poolName = pool.name;
export const generation = pool.generation;
