import { request } from "node:http";
import { jobHook18 } from "../../reconciler/forge/gitlab/webhook-payloads.fixture.js";

/** One webhook that was posted. Times are those of `performance.now()`. */
export interface PostedHook {
  readonly at: number;
  /** The status that it was answered with, or why there was none: its connection was cut, or the answer was late. */
  readonly answer: number | "cut" | "late";
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
  /** With what they were answered, each once. */
  readonly answers: readonly PostedHook["answer"][];
}

const everyMs = 50;
/** GitLab's own patience. */
const answerMs = 10_000;

/** Begins to post. A webhook is taken when it is answered 200 within ten seconds. */
export function startHooks({ url, secret }: { readonly url: string; readonly secret: string }): HookStream {
  const body = JSON.stringify({ ...jobHook18, build_id: 987_654_321, build_status: "pending", runner: null });
  const headers = { "content-type": "application/json", "x-gitlab-event": "Job Hook", "x-gitlab-token": secret };
  const done: PostedHook[] = [];
  const underWay = new Set<Promise<unknown>>();
  const post = (): Promise<PostedHook["answer"]> =>
    new Promise((resolve) => {
      const signal = AbortSignal.timeout(answerMs);
      const fail = () => resolve(signal.aborted ? "late" : "cut");
      const asked = request(url, { method: "POST", headers, agent: false, signal }, (answer) => {
        answer.on("error", fail);
        answer.on("end", () => resolve(answer.statusCode ?? "cut")).resume();
      });
      asked.on("error", fail);
      asked.end(body);
    });
  const timer = setInterval(() => {
    const at = performance.now();
    const posting = post().then((answer) => done.push({ at, answer }));
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

/** Whether a webhook was answered as GitLab wants it. */
export const isTaken = ({ answer }: PostedHook): boolean => answer === 200;

/** The times of refusal among webhooks in the order in which they were posted. One that did not end lasts until the last of them. */
export function refusals(posted: readonly PostedHook[]): readonly Refusal[] {
  const found: Refusal[] = [];
  let refused: PostedHook[] = [];
  const end = (to: number) => {
    const from = refused[0]?.at;
    const answers = [...new Set(refused.map(({ answer }) => answer))];
    if (from !== undefined) found.push({ from, to, hooks: refused.length, answers });
    refused = [];
  };
  for (const hook of posted) {
    if (isTaken(hook)) end(hook.at);
    else refused.push(hook);
  }
  end(posted.at(-1)?.at ?? 0);
  return found;
}
