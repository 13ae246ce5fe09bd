import { request } from "node:http";
import { jobHook18 } from "../../reconciler/forge/gitlab/webhook-payloads.fixture.js";

/** One webhook that was posted. Times are those of `performance.now()`. */
export interface PostedHook {
  readonly at: number;
  readonly taken: boolean;
}

/** Webhooks that are posted one after the other at an even pace, whatever becomes of those before, each over a connection of its own as GitLab does. */
export interface HookStream {
  /** Those that were answered or given up so far, in the order in which they were posted. */
  posted(): readonly PostedHook[];
  /** Ends it; settles when nothing is under way. */
  stop(): Promise<void>;
}

/** A time in which every webhook was refused: from the posting of the first of them to that of the next one that was taken. */
export interface Refusal {
  readonly from: number;
  readonly to: number;
  readonly hooks: number;
}

const everyMs = 50;
const answerMs = 2_000;

/** Begins to post. A webhook is taken when it is answered 200 within two seconds. */
export function startHooks({ url, secret }: { readonly url: string; readonly secret: string }): HookStream {
  const body = JSON.stringify({ ...jobHook18, build_id: 987_654_321, build_status: "pending", runner: null });
  const headers = { "content-type": "application/json", "x-gitlab-event": "Job Hook", "x-gitlab-token": secret };
  const done: PostedHook[] = [];
  const underWay = new Set<Promise<unknown>>();
  const post = (): Promise<boolean> =>
    new Promise((resolve) => {
      const asked = request(url, { method: "POST", headers, agent: false, signal: AbortSignal.timeout(answerMs) }, (answer) => {
        answer.on("error", () => resolve(false));
        answer.on("end", () => resolve(answer.statusCode === 200)).resume();
      });
      asked.on("error", () => resolve(false));
      asked.end(body);
    });
  const timer = setInterval(() => {
    const at = performance.now();
    const posting = post().then((taken) => done.push({ at, taken }));
    underWay.add(posting);
    void posting.then(() => underWay.delete(posting));
  }, everyMs);
  return {
    posted: () => done.toSorted((a, b) => a.at - b.at),
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

/** The times of refusal among webhooks in the order in which they were posted. One that did not end lasts until the last of them. */
export function refusals(posted: readonly PostedHook[]): readonly Refusal[] {
  const found: Refusal[] = [];
  let refused: PostedHook[] = [];
  const end = (to: number) => {
    const from = refused[0]?.at;
    if (from !== undefined) found.push({ from, to, hooks: refused.length });
    refused = [];
  };
  for (const hook of posted) {
    if (hook.taken) end(hook.at);
    else refused.push(hook);
  }
  end(posted.at(-1)?.at ?? 0);
  return found;
}
