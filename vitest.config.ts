import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const images = {
  globalSetup: ["test/images/global-setup.ts"],
  // A kernel that was not built before takes minutes, and so do microVMs by the dozen.
  testTimeout: 1_800_000,
  hookTimeout: 60_000,
  fileParallelism: false,
};

/**
 * `unit` sits beside the code and needs nothing; `e2e` starts processes and listeners; `pulumi` runs the real Pulumi on the
 * packed package; `clients` lets programs of others speak with the embedded GitLab and runner; `long` is run by hand.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["{proto,provider,reconciler,testing,images,scripts}/**/*.test.ts"],
          testTimeout: 60_000,
          // Alone on a machine of two cores one worker would leave one of them idle.
          maxWorkers: availableParallelism(),
        },
      },
      // Most of their time is waiting, for polls and for what runs elsewhere: two at a time leave no core idle.
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 120_000, maxWorkers: 2 } },
      {
        test: {
          name: "pulumi",
          include: ["test/pulumi/**/*.test.ts"],
          globalSetup: ["test/pulumi/global-setup.ts"],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "clients",
          include: ["test/clients/**/*.test.ts"],
          globalSetup: ["test/clients/global-setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "redis",
          include: ["test/redis/**/*.test.ts"],
          globalSetup: ["test/redis/global-setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      { test: { ...images, name: "images", include: ["test/images/**/*.test.ts"], exclude: ["**/*.long.test.ts"] } },
      { test: { ...images, name: "images-long", include: ["test/images/**/*.long.test.ts"] } },
      {
        test: {
          name: "flintlockd",
          include: ["test/flintlockd/**/*.test.ts"],
          globalSetup: ["test/flintlockd/global-setup.ts"],
          testTimeout: 1_800_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "long",
          include: ["test/long/**/*.test.ts"],
          globalSetup: ["test/redis/global-setup.ts"],
          testTimeout: 1_800_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
