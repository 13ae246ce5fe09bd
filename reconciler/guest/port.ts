import type { Image } from "../model/image.js";
import type { Microvm } from "../model/microvm.js";

/** What the loop needs of the guests' side. */
export interface GuestPort {
  /**
   * The metadata that a microVM boots with: its boot data, its owner's mark and, where cloud-init is to bring the agent, what
   * cloud-init reads. The same microVM always gets the same.
   */
  bootMetadata(microvm: Microvm, bootstrap: Image["bootstrap"]): Readonly<Record<string, string>>;
  /** Whether metadata found on a host carries a mark of this owner that its key made, and for which microVM. */
  readMark(
    metadata: Readonly<Record<string, string>>,
  ): { readonly vm: string; readonly pool: string; readonly connection: string; readonly size?: string } | undefined;
  /** When a microVM's guest was heard last, in this process's life; undefined when never. */
  lastHeardAt(vm: string): number | undefined;
}
