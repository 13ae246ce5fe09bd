import { createHash } from "node:crypto";
import { z } from "zod";
import type { Connection } from "../../model/connection.js";
import type { WebhookState } from "../port.js";
import type { Client } from "./client.js";
import { type Attempt, attempted, unreadableError } from "./failure.js";
import { callGitLab, type GitLabCalls, isNotFound, needs, refusedWith } from "./gitlab-calls.js";
import { readPages } from "./pages.js";

const hookSchema = z.object({
  id: z.int().positive(),
  url: z.string(),
  job_events: z.boolean().nullish(),
  pipeline_events: z.boolean().nullish(),
  push_events: z.boolean().nullish(),
  /** Not told by versions that never mute a hook. */
  alert_status: z.string().nullish(),
  /** Until when it is muted; none when it is for good. */
  disabled_until: z.string().nullish(),
  signing_token_present: z.boolean().nullish(),
});
type Hook = z.output<typeof hookSchema>;

/** GitLab allows 100 hooks of a project and 50 of a group, unless an administrator raised it. */
const hookPages = 5;
/** More connections than anybody declares. */
const maxRemembered = 1_000;

export interface WebhookKeeper {
  ensure(connection: Connection, url: string): Promise<WebhookState>;
}

/**
 * Makes webhooks of projects and groups and keeps them as they must be. GitLab never shows a hook's secrets: what was sent
 * last is remembered as a digest, and what is not known to be there is sent once more.
 */
export function createWebhookKeeper(gitlab: GitLabCalls, resolveSecret: (ref: string) => string | Promise<string>): WebhookKeeper {
  const sent = new Map<string, string>();

  async function secretsOf({ webhook }: Connection) {
    return {
      ...(webhook.secret === undefined ? {} : { token: await resolveSecret(webhook.secret) }),
      ...(webhook.signingToken === undefined ? {} : { signingToken: await resolveSecret(webhook.signingToken) }),
    };
  }

  function remember(key: string, digest: string): void {
    if (sent.size >= maxRemembered) sent.clear();
    sent.set(key, digest);
  }

  async function ensure(client: Client, attempt: Attempt, path: string, url: string): Promise<WebhookState> {
    const { connection } = attempt;
    const secrets = await secretsOf(connection);
    const digest = createHash("sha256").update(JSON.stringify(secrets)).digest("hex");
    const settings = { url, jobEvents: true, pipelineEvents: true, pushEvents: false, ...secrets };
    const found = await findHook(client, attempt, path, url);
    if (found === undefined) {
      const made = hookOf(attempt, (await client.post(path, settings)).body);
      remember(`${connection.url}/${path}/${made.id}`, digest);
      return lacksSignature(connection, made) ?? { state: "made" };
    }
    const key = `${connection.url}/${path}/${found.id}`;
    const known = sent.get(key);
    const differs = found.job_events !== true || found.pipeline_events !== true || found.push_events !== false;
    let hook = found;
    if (differs || known !== digest) {
      hook = hookOf(attempt, (await client.put(`${path}/${found.id}`, settings)).body);
      remember(key, digest);
    }
    const unsigned = lacksSignature(connection, hook);
    if (unsigned !== undefined) return unsigned;
    if (isMuted(hook)) return wake(client, attempt, `${path}/${hook.id}`);
    return { state: differs || (known !== undefined && known !== digest) ? "changed" : "kept" };
  }

  return {
    async ensure(connection, url) {
      const path = hooksPath(connection);
      if (path === undefined) return { state: "not-allowed", message: steps(connection, url) };
      const what = `keeping the webhook ${url}`;
      try {
        return await callGitLab(
          gitlab,
          connection,
          what,
          "manageWebhooks",
          gitlab.limits.callMs,
          (client, attempt) => ensure(client, attempt, path, url),
          "background",
        );
      } catch (caught) {
        if (refusedWith(caught) !== 403 && !isNotFound(caught)) throw caught;
        return { state: "not-allowed", message: steps(connection, url) };
      }
    },
  };
}

async function findHook(client: Client, attempt: Attempt, path: string, url: string): Promise<Hook | undefined> {
  const { items, complete } = await readPages(client, attempt, path, {}, hookPages);
  const found = items.map((item) => hookOf(attempt, item)).find((hook) => hook.url === url);
  // What was not read to its end says nothing about what is not in it: a second hook would call twice.
  if (found === undefined && !complete) throw unreadableError(attempt, `there are more than ${hookPages * 100} webhooks`);
  return found;
}

/** GitLab calls a muted hook again when a test of it is answered well. */
async function wake(client: Client, attempt: Attempt, path: string): Promise<WebhookState> {
  let why = "its test was not answered with 2xx";
  try {
    await client.post(`${path}/test/job_events`, {});
  } catch (caught) {
    const status = refusedWith(caught);
    if (status !== 422 && status !== 404) throw caught;
    why = caught instanceof Error ? caught.message : String(caught);
  }
  const { alert_status: status, disabled_until: until, url } = hookOf(attempt, (await client.get(path, {})).body);
  if (!isMuted({ alert_status: status })) return { state: "re-enabled" };
  const howLong = until === undefined || until === null ? "" : ` until ${until.slice(0, 40)}`;
  return {
    state: "muted",
    message: `${attempted(attempt)}: GitLab has disabled it (${status}${howLong}) after failed deliveries, and ${why}; check that GitLab reaches ${url}`,
  };
}

const isMuted = ({ alert_status: status }: Pick<Hook, "alert_status">): boolean =>
  status !== undefined && status !== null && status !== "executable";

/** Where signing tokens are not switched on, GitLab takes one without a word and signs nothing. */
function lacksSignature({ name, webhook }: Connection, hook: Hook): WebhookState | undefined {
  if (webhook.signingToken === undefined || hook.signing_token_present === true) return undefined;
  return {
    state: "not-allowed",
    message: `connection "${name}": this GitLab signs no webhooks; give webhook.secret, and leave webhook.signingToken out`,
  };
}

function hookOf(attempt: Attempt, value: unknown): Hook {
  const parsed = hookSchema.safeParse(value);
  if (!parsed.success) throw unreadableError(attempt, "a webhook with its id and url was expected");
  return parsed.data;
}

function hooksPath({ scope }: Connection): string | undefined {
  if ("projectId" in scope) return `projects/${scope.projectId}/hooks`;
  return "groupId" in scope ? `groups/${scope.groupId}/hooks` : undefined;
}

/** What a person does in GitLab instead, and what would let the service do it. */
function steps({ name, token, scope, webhook }: Connection, url: string): string {
  const where =
    "projectId" in scope
      ? `project ${scope.projectId}`
      : "groupId" in scope
        ? `group ${scope.groupId} (GitLab Premium; without it, each of its projects)`
        : "each project (GitLab's system hooks tell of no jobs, so an instance has no webhook that would do for all of them)";
  const secrets = [
    ...(webhook.secret === undefined ? [] : [`the secret token that ${webhook.secret} holds`]),
    ...(webhook.signingToken === undefined ? [] : [`the signing token that ${webhook.signingToken} holds`]),
  ];
  const byHand = `in GitLab, open Settings > Webhooks of ${where}, add the URL ${url} with ${[...secrets, "the triggers Job events and Pipeline events"].join(", ")}`;
  const instead = "instance" in scope ? "" : `; or give the token ${token} ${needs.manageWebhooks}`;
  return `connection "${name}": its webhook is not made by the service: ${byHand}${instead}`;
}
