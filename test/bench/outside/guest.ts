import { createHash, randomBytes } from "node:crypto";
import { HttpLane, httpRequest, type LaneAnswer } from "./http-lane.js";

/** What a guest went through, in milliseconds of this process's clock; undefined where it did not get so far. */
export interface GuestTimes {
  readonly vm: string;
  readonly claimSentAt: number;
  claimedAt: number | undefined;
  /** When it was told to run. */
  runAt: number | undefined;
}

const longPollS = 25;

/** A guest that claims its microVM, and then waits until it is told to run; it settles then, or when it is told to stop. */
export async function runGuest(bootData: string, onTimes: (times: GuestTimes) => void): Promise<void> {
  const { vm = "", nonce = "", url = "" } = Object.fromEntries(bootData.split("\n").map((line) => line.split("=", 2)));
  const secret = randomBytes(32).toString("hex");
  const lane = new HttpLane(url);
  try {
    const digest = createHash("sha256").update(secret).digest("hex");
    const form = `vm=${vm}\nnonce=${nonce}\nboot_id=${randomBytes(16).toString("hex")}\nsecret_sha256=${digest}\n`;
    const claim = httpRequest("POST", `${url}/guest/v1/claim`, { "content-type": "text/plain" }, form);
    const next = httpRequest("GET", `${url}/guest/v1/next?wait_s=${longPollS}`, { authorization: `Bearer ${vm}:${secret}` });
    const times: GuestTimes = { vm, claimSentAt: performance.now(), claimedAt: undefined, runAt: undefined };
    onTimes(times);
    let action = actionOf(await lane.send(claim));
    times.claimedAt = performance.now();
    while (action === "park") action = actionOf(await lane.send(next));
    if (action === "run") times.runAt = performance.now();
  } finally {
    lane.close();
  }
}

function actionOf({ status, body }: LaneAnswer): string {
  const action = /^action=(\w+)$/m.exec(body)?.[1];
  if (status !== 200 || action === undefined) throw new Error(`a guest was answered ${status} ${body}`);
  return action;
}
