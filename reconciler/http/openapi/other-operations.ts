import { z } from "zod";
import type { Content, Operation } from "./operation.js";

const form: Content = { text: "text/plain", what: "Lines of `field=value`" };
const order: Content = { text: "text/plain", what: "`action=` and what the guest is to do" };

const guest = (method: "get" | "post", call: string, what: string, told: Pick<Operation, "query" | "body" | "answers">): Operation => ({
  method,
  path: `/guest/v1/${call}`,
  id: `guest${call.slice(0, 1).toUpperCase()}${call.slice(1)}`,
  what,
  proof: call === "claim" ? "nobody" : "guestSession",
  ...told,
});

/** What the guest listener answers: text both ways, which a shell can read. Its refusals are lines of text, too. */
export const guestOperations: readonly Operation[] = [
  guest(
    "post",
    "claim",
    "A guest claims its microVM: `vm`, `nonce`, `boot_id`, `secret_sha256`; `boot_stages` and `monitor_began` where known",
    {
      body: form,
      answers: { 200: order },
    },
  ),
  guest("get", "next", "Waits for what the guest is to do", {
    query: z.strictObject({ wait_s: z.int().nonnegative().optional() }),
    answers: { 200: order },
  }),
  guest("get", "config", "The configuration of its runner, until the runner has started", {
    answers: { 200: { text: "text/plain", what: "GitLab Runner's config.toml" } },
  }),
  guest("post", "heartbeat", "It lives: `state`", { body: form, answers: { 200: order } }),
  guest("post", "log", "The end of its console, for the service's log", {
    body: { text: "text/plain", what: "The log" },
    answers: { 200: order },
  }),
  guest("post", "done", "It has ended: `exit_code`, `reason`, and `why` where known", { body: form, answers: { 200: order } }),
];

/** What the public listener answers. */
export const publicOperations: readonly Operation[] = [
  {
    method: "post",
    path: "/webhooks/gitlab/:connection",
    id: "takeGitLabWebhook",
    what: "Takes a webhook of GitLab; 200 when what it says is durable, 202 when the forge is read instead",
    proof: "webhook",
    body: { one: "Webhook" },
    answers: { 200: { one: "WebhookOutcome" }, 202: { one: "WebhookOutcome" } },
  },
];
