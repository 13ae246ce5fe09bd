import { describe, expect, it } from "vitest";
import type { Job } from "../../model/job.js";
import { projectName } from "./push-folder.js";
import { type JobRow, jobRows } from "./rows.js";
import { scriptOutput } from "./script-output.js";
import { seconds, summaryTable, tidinessLine } from "./summary.js";
import { createView } from "./view.js";

const plain = (text: string) => text;

const told = { id: 7, name: "unit", stage: "test", status: "success", allow_failure: false };
const known: Job = {
  connection: "embedded",
  projectId: 1,
  jobId: 7,
  name: "unit",
  stage: "test",
  status: "pending",
  tags: [],
  protected: false,
  allowFailure: false,
  queuedAt: 1000,
  readAt: 1000,
  traceId: "0".repeat(32),
};
const at = (ms: number) => new Date(ms).toISOString();

describe("a job's row", () => {
  it("joins the forge's times with FireRunner's", () => {
    const [row] = jobRows(
      [{ ...told, started_at: at(2500), finished_at: at(4000) }],
      [{ ...known, status: "success", vm: "vm-a", host: "host-1", vmAt: 1250 }],
      9000,
    );
    expect(row).toMatchObject({ vm: "vm-a", host: "host-1", queueToVmMs: 250, vmToRunningMs: 1250, ranMs: 1500, totalMs: 3000 });
  });

  it("of a running job counts up to now, and of a waiting one says why", () => {
    const reason = { code: "FR-NO-POOL", message: "no pool takes it" };
    const rows = jobRows(
      [
        { ...told, status: "running", started_at: at(2000) },
        { ...told, id: 8, status: "pending" },
      ],
      [{ ...known, jobId: 8, waitingReason: reason }],
      3500,
    );
    expect(rows.map(({ ranMs, reason: why }) => ({ ranMs, why }))).toEqual([
      { ranMs: 1500, why: undefined },
      { ranMs: undefined, why: reason },
    ]);
  });
});

const row: JobRow = {
  jobId: 7,
  name: "unit",
  stage: "test",
  status: "success",
  allowFailure: false,
  vm: "vm-a",
  host: "host-1",
  reason: undefined,
  queueToVmMs: 12,
  vmToRunningMs: 900,
  ranMs: 1500,
  totalMs: 12_400,
};

describe("the summary", () => {
  it("has a line per job, and a dash for what never was", () => {
    const text = summaryTable([row, { ...row, name: "gpu", status: "canceled", vm: undefined, host: undefined, ranMs: undefined }], plain);
    expect(text.split("\n").map((line) => line.split(/\s{2,}/))).toEqual([
      ["JOB", "RESULT", "MICROVM", "HOST", "QUEUE→VM", "VM→RUNNING", "RAN", "TOTAL"],
      ["unit", "success", "vm-a", "host-1", "0.01 s", "0.90 s", "1.50 s", "12.4 s"],
      ["gpu", "canceled", "–", "–", "0.01 s", "0.90 s", "–", "12.4 s"],
    ]);
  });

  it("says what is left", () => {
    expect(tidinessLine({ vms: 0, runners: 0, addresses: 0, warm: 1 })).toBe(
      "Left behind: 0 microVMs, 0 runners, 0 addresses (beside 1 warm microVM without a credential).",
    );
    expect(seconds(9_994)).toBe("9.99 s");
  });
});

describe("a script's output", () => {
  const log = [
    "\u001b[0KRunning with a runner\u001b[0;m",
    "section_start:1:step_script\r\u001b[0K\u001b[36;1mExecuting\u001b[0;m",
    "\u001b[32;1m$ echo one\u001b[0;m",
    "one",
    "\u001b[32;1m$ echo two\u001b[0;m",
    "two\u0007",
    "",
  ].join("\n");

  it("begins with the first command, without colours and section marks", () => {
    expect(scriptOutput(log, 10)).toEqual(["$ echo one", "one", "$ echo two", "two"]);
  });

  it("is cut, and says so", () => {
    expect(scriptOutput(log, 3)).toEqual(["$ echo one", "one", "… 2 more lines"]);
    expect(scriptOutput("no command at all", 3)).toEqual([]);
  });
});

it.each([
  ["/home/me/My Project!", "my-project"],
  ["/", "project"],
  ["a".repeat(60), "a".repeat(40)],
])("the folder %s is pushed as project %s", (folder, name) => {
  expect(projectName(folder)).toBe(name);
});

describe("a view", () => {
  function terminalOf(columns: number | undefined) {
    let text = "";
    const write = (more: string) => {
      text += more;
    };
    return {
      text: () => text,
      view: createView({
        print: (line) => write(`${line}\n`),
        write,
        complain: () => undefined,
        style: plain,
        coloured: false,
        columns,
        env: {},
        readInput: () => "",
      }),
    };
  }

  it("off a terminal writes a line for each change, and none twice", () => {
    const { view, text } = terminalOf(undefined);
    const waiting = { ...row, status: "pending", vm: undefined, reason: { code: "FR-POOL-LIMIT", message: "the pool is full" } };
    view.show([waiting]);
    view.show([waiting]);
    view.show([row]);
    expect(text().split("\n")).toEqual([
      "· unit             pending  FR-POOL-LIMIT: the pool is full",
      "✓ unit             success  vm-a on host-1 1.50 s",
      "",
    ]);
  });

  it("on a terminal draws its lines over again, cut to the width", () => {
    const { view, text } = terminalOf(20);
    view.show([{ ...row, status: "running" }]);
    view.show([row]);
    expect(text()).toBe("▶ unit running  vm-…\n\u001b[1A\u001b[0J✓ unit success  vm-…\n");
  });

  it("shows a forge's control characters to nobody", () => {
    const { view, text } = terminalOf(undefined);
    view.show([{ ...row, name: "a\u001b[2Jb\nc" }]);
    expect(text()).toMatch(/^✓ a\[2Jb c .*\n$/);
  });
});
