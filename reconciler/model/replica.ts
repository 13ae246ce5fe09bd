/** A process on the store, as it told of itself last. */
export interface Replica {
  readonly name: string;
  /** Whether it is the one that answers. */
  readonly isThis: boolean;
  /** How the others reach its admin API. */
  readonly adminUrl: string;
  readonly version: string;
  readonly startedAt: number;
  /** The epoch under which it leads; left out where it stands by. */
  readonly epoch?: string;
  /** The newest revision of the store that it has seen. */
  readonly revision: number;
  /** How many revisions it has yet to see, compared with the one that has seen most. */
  readonly behind: number;
  /** When the one that answers read its newest note. */
  readonly toldAt: number;
}
