import { crc32 } from "node:zlib";
import { Masker } from "./masker.js";

const plain = "\u001b[0;m";
const startOfLine = "\u001b[0K";

/** Text in the colours that GitLab's own runner uses. */
export const paint = {
  green: (text: string) => `\u001b[32;1m${text}${plain}`,
  red: (text: string) => `\u001b[31;1m${text}${plain}`,
  yellow: (text: string) => `\u001b[0;33m${text}${plain}`,
  cyan: (text: string) => `\u001b[36;1m${text}${plain}`,
};

export interface JobLogOptions {
  readonly secrets: Iterable<string>;
  /** Bytes of output that are kept; what comes later is dropped, which the log then says. */
  readonly limitBytes: number;
  /** Milliseconds since the Unix epoch, for the sections. */
  readonly now: () => number;
}

/** What a job writes, with secrets masked: the whole of it, as it is sent and checked. */
export class JobLog {
  private readonly masker: Masker;
  private bytes = Buffer.alloc(0);
  private length = 0;
  private full = false;

  constructor(private readonly options: JobLogOptions) {
    this.masker = new Masker(options.secrets);
  }

  /** Bytes so far, without those that the masker still holds back. */
  get size(): number {
    return this.length;
  }

  /** The part from `offset` on, of at most `limit` bytes. */
  read(offset: number, limit: number): Buffer {
    return this.bytes.subarray(offset, Math.min(this.length, offset + limit));
  }

  /** `crc32:` and eight hex digits over all bytes. */
  get checksum(): string {
    return `crc32:${crc32(this.read(0, this.length)).toString(16).padStart(8, "0")}`;
  }

  /** Takes output of the job. */
  write(output: Buffer): void {
    this.keep(this.masker.push(output));
  }

  /** Writes a line of the runner's own. */
  say(line: string): void {
    this.write(Buffer.from(`${line}\n`));
  }

  /** Marks what `run` writes as a section that GitLab can fold. */
  async section<T>(name: string, title: string, run: () => Promise<T>): Promise<T> {
    this.mark("start", name);
    this.say(`${startOfLine}${paint.cyan(title)}`);
    try {
      return await run();
    } finally {
      this.mark("end", name);
    }
  }

  /** Shows what the masker held back and writes the last line, which is kept whatever came before. */
  end(line: string): void {
    this.keep(this.masker.flush());
    this.append(this.masker.push(Buffer.from(`${line}\n`)));
    this.append(this.masker.flush());
  }

  private mark(edge: "start" | "end", name: string): void {
    this.write(Buffer.from(`section_${edge}:${Math.floor(this.options.now() / 1000)}:${name}\r${startOfLine}`));
  }

  private keep(output: Buffer): void {
    if (this.full) return;
    const room = this.options.limitBytes - this.length;
    this.append(output.subarray(0, room));
    if (output.length <= room) return;
    this.full = true;
    const said = `Job's log exceeded limit of ${this.options.limitBytes} bytes.`;
    this.append(Buffer.from(`\n${paint.yellow(said)}\nThe job goes on, but no more of its output is kept.\n`));
  }

  private append(output: Buffer): void {
    const wanted = this.length + output.length;
    if (wanted > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(wanted, this.bytes.length * 2, 65_536));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    output.copy(this.bytes, this.length);
    this.length = wanted;
  }
}
