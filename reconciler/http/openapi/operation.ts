import type { z } from "zod";
import type { SchemaName } from "./schemas.js";

/** What a body is: a record by the name of its schema, a list of them (`page` may go on), text of a media type, or nothing. */
export type Content =
  | { readonly one: SchemaName }
  | { readonly items: SchemaName }
  | { readonly page: SchemaName }
  | { readonly text: string; readonly what: string }
  | { readonly nothing: true };

/** A header that a request may carry. */
export interface HeaderField {
  readonly name: string;
  readonly what: string;
}

/** How a caller proves who it is; `nobody` need not. */
export type Proof = "adminToken" | "guestSession" | "webhook" | "nobody";

/** One method at one address, as the listeners have it. */
export interface Operation {
  readonly method: "get" | "put" | "post" | "delete";
  /** With `:name` for what varies, as it is registered. */
  readonly path: string;
  /** Unique; what generators name their functions by. */
  readonly id: string;
  readonly what: string;
  readonly proof: Proof;
  /** The query as the route itself checks it. */
  readonly query?: z.ZodObject;
  readonly headers?: readonly HeaderField[];
  /** The body; left out where there is none. It may be missing where `optional`. */
  readonly body?: Content & { readonly optional?: boolean };
  /** By status; every other status is a refusal. */
  readonly answers: Readonly<Record<number, Content>>;
}
