/** The outside as a process of its own, started by `outside-process.ts`; it ends with the one that started it. */

import { type OutsideCalls, type OutsideOptions, startOutside } from "./outside.js";

/** One call: its number, the name of what is asked for, and its arguments. */
export interface CallMessage {
  readonly id: number;
  readonly name: keyof OutsideCalls;
  readonly args: readonly unknown[];
}

/** What came of a call. */
export type AnswerMessage = { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly error: string };

const options = JSON.parse(process.argv[2] ?? "") as OutsideOptions;
const { addresses, calls } = await startOutside(options);

process.on("disconnect", () => process.exit());
process.on("message", ({ id, name, args }: CallMessage) => {
  const call = calls[name] as (...args: readonly unknown[]) => Promise<unknown>;
  call(...args).then(
    (answer) => process.send?.({ id, answer } satisfies AnswerMessage),
    (error: unknown) => process.send?.({ id, error: String(error) } satisfies AnswerMessage),
  );
});
process.send?.(addresses);
