/** What a leader remembers of one project whose jobs could not be read. */
interface Unread {
  readonly at: number;
  readonly why: string;
}

/** What is not confirmed for so long is forgotten. */
const memoryMs = 3_600_000;

/**
 * What a leader remembers of how jobs become known: by webhooks, or only by polls, and what polls could not read. It need not
 * survive: without it, polls are frequent. Times are milliseconds since the epoch.
 */
export class PollMemory {
  private readonly hooked = new Map<string, number>();
  private readonly news = new Map<string, number>();
  private readonly projects = new Map<string, Map<number, number>>();
  private readonly unread = new Map<string, Map<number, Unread>>();
  private readonly missed = new Map<string, Map<number, number>>();

  /** When a webhook told of something last, as far as its hint was seen here. */
  hookedAt(connection: string): number | undefined {
    return this.hooked.get(connection);
  }

  noteHooked(connection: string, at: number): void {
    this.hooked.set(connection, Math.max(at, this.hooked.get(connection) ?? 0));
  }

  /** When a poll last told of something that a webhook should have told before. */
  newsByPollAt(connection: string): number | undefined {
    return this.news.get(connection);
  }

  noteNewsByPoll(connection: string, at: number): void {
    this.news.set(connection, at);
  }

  /** When the last reading of each single project began, where one was read by itself. */
  projectsPolledAt(connection: string): ReadonlyMap<number, number> {
    return this.projects.get(connection) ?? new Map();
  }

  noteProjectPolled(connection: string, projectId: number, at: number): void {
    this.projects.set(connection, new Map(this.projectsPolledAt(connection)).set(projectId, at));
  }

  /** The projects whose jobs could not be read, and why, in the order of their numbers. */
  unreadProjects(connection: string): readonly { readonly projectId: number; readonly why: string }[] {
    return [...(this.unread.get(connection) ?? [])]
      .map(([projectId, { why }]) => ({ projectId, why }))
      .toSorted((a, b) => a.projectId - b.projectId);
  }

  noteUnread(connection: string, projectId: number, why: string, at: number): void {
    const known = this.unread.get(connection) ?? new Map<number, Unread>();
    this.unread.set(connection, known.set(projectId, { at, why }));
  }

  noteRead(connection: string, projectId: number): void {
    this.unread.get(connection)?.delete(projectId);
  }

  /**
   * A poll of the scope named neither these projects nor why not, though their jobs are active as far as is known; gives those
   * that were never read by themselves, which may only not be known yet, and others once for each `forMs` of which that is so.
   */
  missedFor(connection: string, projectIds: Iterable<number>, at: number, forMs: number): readonly number[] {
    const before = this.missed.get(connection);
    const since = new Map([...projectIds].map((projectId) => [projectId, before?.get(projectId) ?? at]));
    const read = this.projectsPolledAt(connection);
    const due = [...since].flatMap(([projectId, from]) => (at - from >= forMs || !read.has(projectId) ? [projectId] : []));
    for (const projectId of due) since.set(projectId, at);
    this.missed.set(connection, since);
    return due;
  }

  /** The clock was set back: times that are yet to come say nothing. */
  setBack(): void {
    for (const times of [this.hooked, this.news, this.projects, this.unread, this.missed]) times.clear();
  }

  prune(now: number): void {
    for (const [connection, projects] of this.projects) {
      const kept = [...projects].filter(([, at]) => at + memoryMs >= now);
      if (kept.length < projects.size) this.projects.set(connection, new Map(kept));
    }
    for (const projects of this.unread.values()) {
      for (const [projectId, { at }] of projects) if (at + memoryMs < now) projects.delete(projectId);
    }
  }
}
