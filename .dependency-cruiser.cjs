/** The arrows between the rooms: model <- plan <- control <- http, cli, main; adapters know the model and their own port. */
const room = (name) => `^reconciler/${name}/`;
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, pathNot: "\\.(test|fixture)\\.ts$" },
  to: { path: "^(proto|provider|reconciler)/", pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans-into-tests",
      severity: "error",
      from: { pathNot: "\\.(test|fixture)\\.ts$" },
      to: { path: "\\.(test|fixture)\\.ts$" },
    },
    only("model-imports-nothing", room("model"), [room("model")], "The vocabulary imports nothing but zod"),
    {
      name: "model-needs-only-zod",
      severity: "error",
      from: { path: room("model"), pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["npm"], pathNot: "node_modules/zod/" },
    },
    only("plan-imports-model", room("plan"), [room("plan"), room("model")], "Decisions are pure"),
    {
      name: "plan-is-pure",
      severity: "error",
      from: { path: room("plan"), pathNot: "\\.(test|fixture)\\.ts$" },
      to: { dependencyTypes: ["core", "npm"] },
    },
    only(
      "control-imports-ports",
      room("control"),
      [room("control"), room("plan"), room("model"), "^reconciler/[a-z]+/port\\.ts$"],
      "The loop knows ports, never adapters",
    ),
    only("store-is-an-adapter", room("store"), [room("store"), room("model")]),
    only("forge-is-an-adapter", room("forge"), [room("forge"), room("model")]),
    only("flintlock-is-an-adapter", room("flintlock"), [room("flintlock"), room("model"), "^proto/"]),
    only("guest-is-an-adapter", room("guest"), [room("guest"), room("model"), "^reconciler/store/port\\.ts$"]),
    only(
      "embedded-imports-no-product",
      room("embedded"),
      [room("embedded"), room("model"), "^proto/", "^reconciler/images/(image-source|recipes|run-tool)\\.ts$"],
      "The development world is another side of the wires; it takes images apart with the tools that put them together",
    ),
    only("images-import-model", room("images"), [room("images"), room("model")]),
    only(
      "simulator-runs-the-core",
      room("simulator"),
      [
        room("simulator"),
        room("control"),
        room("plan"),
        room("model"),
        room("store"),
        room("guest"),
        "^reconciler/(flintlock|forge)/port\\.ts$",
      ],
      "The simulated world runs the production's loop, store logic and guest protocol; nothing of it reaches a wire",
    ),
    {
      name: "only-the-command-simulates",
      comment: "Nothing that serves depends on the simulated world",
      severity: "error",
      from: { path: "^(proto|provider|reconciler)/", pathNot: ["^reconciler/simulator/", "^reconciler/cli/", "\\.(test|fixture)\\.ts$"] },
      to: { path: room("simulator") },
    },
    only("secrets-import-model", room("secrets"), [room("secrets"), room("model")]),
    only("telemetry-imports-model", room("telemetry"), [room("telemetry"), room("model")]),
    only("provider-imports-model", "^provider/", ["^provider/", room("model")], "The provider talks to the admin API only"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};
