import type { DeclaredKind } from "../../model/declared.js";
import { fleetLists } from "../declarations.js";
import { letterQuery } from "../routes/dead-letters.js";
import { deleteQuery, putQuery } from "../routes/declared.js";
import { conditionQuery, eventQuery } from "../routes/events.js";
import { jobQuery } from "../routes/jobs.js";
import { identityQuery, microvmQuery } from "../routes/microvms.js";
import type { HeaderField, Operation } from "./operation.js";
import type { SchemaName } from "./schemas.js";

const ifMatch: HeaderField = { name: "If-Match", what: "The generation that the record must have now, as its ETag says it" };
const ifNoneMatch: HeaderField = { name: "If-None-Match", what: "`*`: there must be no such record yet" };
const by: HeaderField = { name: "X-FireRunner-By", what: "Who asks for it, as it is recorded; `admin` when left out" };

type Told = Omit<Operation, "method" | "path" | "id" | "what" | "proof">;

const admin = (method: Operation["method"], path: string, id: string, what: string, told: Told): Operation => ({
  method,
  path,
  id,
  what,
  proof: "adminToken",
  ...told,
});

/** The names of a declared kind's schemas: as it is answered, and as it is sent. */
const names = {
  host: ["Host", "HostSpec"],
  image: ["Image", "ImageSpec"],
  connection: ["Connection", "ConnectionSpec"],
  pool: ["Pool", "PoolSpec"],
} as const satisfies Record<DeclaredKind, readonly [SchemaName, SchemaName]>;

function declared(kind: DeclaredKind): readonly Operation[] {
  const [record, spec] = names[kind];
  const list = `/v1/${fleetLists[kind]}`;
  const one = `${list}/:name`;
  return [
    admin("get", list, `list${record}s`, `All ${kind}s in the order of their declaration`, { answers: { 200: { items: record } } }),
    admin("get", one, `get${record}`, `One ${kind}; its generation is the ETag`, { answers: { 200: { one: record } } }),
    admin("put", one, `put${record}`, `Declares a ${kind}, or declares it anew`, {
      query: putQuery,
      headers: [ifMatch, ifNoneMatch],
      body: { one: spec },
      answers: { 200: { one: record }, 201: { one: record } },
    }),
    admin("delete", one, `delete${record}`, `Removes a ${kind}; 202 for as long as something that it waits for uses it`, {
      query: deleteQuery,
      headers: [ifMatch],
      answers: { 202: { one: "UsedBy" }, 204: { nothing: true } },
    }),
  ];
}

function told(kind: "host" | "pool", verb: string, what: string, body: SchemaName = "Nothing"): Operation {
  return admin("post", `/v1/${fleetLists[kind]}/:name/${verb}`, `${verb}${names[kind][0]}`, `${what}; answers what holds of it then`, {
    headers: [by],
    body: { one: body, optional: true },
    answers: { 200: { one: "Operations" } },
  });
}

const job = "/v1/jobs/:connection/:projectId/:jobId";
const letter = "/v1/dead-letters/:key";

/** What the admin listener answers. */
export const adminOperations: readonly Operation[] = [
  { ...admin("get", "/health", "health", "The process is alive", { answers: { 200: { one: "Health" } } }), proof: "nobody" },
  { ...admin("get", "/openapi.json", "openapi", "This document", { answers: { 200: { one: "Document" } } }), proof: "nobody" },
  admin("get", "/ready", "ready", "Whether it can take work; 503 when it cannot", {
    answers: { 200: { one: "Readiness" }, 503: { one: "Readiness" } },
  }),
  admin("get", "/metrics", "metrics", "Prometheus' text format", { answers: { 200: { text: "text/plain", what: "Metrics" } } }),
  admin("get", "/v1/checks", "checks", "What it depends on, as the replica that leads finds it", { answers: { 200: { one: "Checks" } } }),
  ...declared("host"),
  ...declared("image"),
  ...declared("connection"),
  ...declared("pool"),
  admin("put", "/v1/fleet", "applyFleet", "Declares a whole fleet file, or nothing of it", {
    body: { one: "Fleet" },
    answers: { 200: { one: "Applied" } },
  }),
  told("host", "cordon", "Nothing new comes to the host"),
  told("host", "drain", "Nothing new comes, and what is there leaves", "Drain"),
  told("host", "forget", "Gives up what is on a machine that never comes back", "Forget"),
  told("host", "uncordon", "Takes all of it back"),
  told("pool", "pause", "Nothing new is made for the pool"),
  told("pool", "resume", "Takes that back"),
  admin("get", "/v1/host-statuses", "listHostStatuses", "Hosts as the service finds them", { answers: { 200: { items: "HostStatus" } } }),
  admin("get", "/v1/hosts/:name/status", "getHostStatus", "A host as the service finds it", { answers: { 200: { one: "HostStatus" } } }),
  admin("get", "/v1/connections/:name/status", "getConnectionStatus", "What the latest check of a connection found", {
    answers: { 200: { one: "ConnectionStatus" } },
  }),
  admin("get", "/v1/microvms", "listMicrovms", "MicroVMs", { query: microvmQuery, answers: { 200: { page: "Microvm" } } }),
  admin("get", "/v1/microvms/:name", "getMicrovm", "A microVM, with the stages of its boot once its guest has claimed it", {
    answers: { 200: { one: "Microvm" } },
  }),
  admin("get", "/v1/identities", "listIdentities", "The runners that were made for microVMs, without their tokens", {
    query: identityQuery,
    answers: { 200: { page: "Identity" } },
  }),
  admin("get", "/v1/jobs", "listJobs", "Jobs as the forge told them last", { query: jobQuery, answers: { 200: { page: "Job" } } }),
  admin("get", job, "getJob", "A job as the forge told it last", { answers: { 200: { one: "Job" } } }),
  admin("get", `${job}/explain`, "explainJob", "Why a job waits, or where it runs or ran", { answers: { 200: { one: "JobExplanation" } } }),
  admin("get", `${job}/log`, "getJobLog", "The log of a job as the forge has it now", {
    answers: { 200: { text: "text/plain", what: "The log" } },
  }),
  admin("get", "/v1/events", "listEvents", "What happened, the oldest first", { query: eventQuery, answers: { 200: { page: "Event" } } }),
  admin("get", "/v1/conditions", "listConditions", "What is true now", { query: conditionQuery, answers: { 200: { page: "Condition" } } }),
  admin("get", "/v1/dead-letters", "listDeadLetters", "What kept failing and was set aside", {
    query: letterQuery,
    answers: { 200: { page: "DeadLetter" } },
  }),
  admin("get", letter, "getDeadLetter", "A dead letter with its history", { answers: { 200: { one: "DeadLetter" } } }),
  admin("post", `${letter}/retry`, "retryDeadLetter", "Asks for it to be tried again; whoever leads does it", {
    headers: [by],
    body: { one: "Nothing", optional: true },
    answers: { 202: { one: "DeadLetter" } },
  }),
  admin("delete", letter, "dropDeadLetter", "Asks for it to be given up; whoever leads does it", {
    headers: [by],
    answers: { 202: { one: "DeadLetter" } },
  }),
  admin("get", "/v1/backup", "backup", "A consistent copy of the store; what is sealed in it stays sealed", {
    answers: { 200: { text: "application/vnd.sqlite3", what: "A SQLite file" } },
  }),
  admin("get", "/v1/plan", "plan", "What the loop would decide and do at this moment", { answers: { 200: { one: "Plan" } } }),
  admin("get", "/v1/gc", "sweepPlan", "What of it removes something", { answers: { 200: { one: "Sweep" } } }),
  admin("post", "/v1/gc", "sweep", "Has every host and forge read now", { answers: { 202: { one: "SweepBegun" } } }),
  admin("get", "/v1/replicas", "listReplicas", "The processes that share the store", { answers: { 200: { items: "Replica" } } }),
  admin("get", "/v1/replicas/:name", "getReplica", "One of them", { answers: { 200: { one: "Replica" } } }),
];
