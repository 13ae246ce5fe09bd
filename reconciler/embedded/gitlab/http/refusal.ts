/** An answer that says no, in GitLab's words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly body: Readonly<Record<string, unknown>> | string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(`refused with ${status}`);
    this.name = "Refusal";
  }
}

export const unauthorized = () => new Refusal(401, { message: "401 Unauthorized" });

const invalidToken = (description: string) => new Refusal(401, { error: "invalid_token", error_description: description });

export const expiredToken = () => invalidToken("Token is expired. You can either do re-authorization or token refresh.");
export const revokedToken = () => invalidToken("Token was revoked. You have to re-authorize from the user.");

export const forbidden = (reason?: string) =>
  new Refusal(403, { message: reason === undefined ? "403 Forbidden" : `403 Forbidden - ${reason}` });

/** `what` is the kind of thing that was asked for: `Project`, `Runner`. */
export const notFound = (what?: string) => new Refusal(404, { message: what === undefined ? "404 Not found" : `404 ${what} Not Found` });

/** A value that was given is refused by a rule about the record; `message` may be told by field. */
export const badRequest = (message: string | Readonly<Record<string, readonly string[]>>) => new Refusal(400, { message });

/** A parameter is missing or of the wrong kind. */
export const badParameter = (error: string) => new Refusal(400, { error });

/** What was asked for is not done in this way. */
export const notAllowed = (error: string) => new Refusal(405, { error });

export const unprocessable = (message: string) => new Refusal(422, { message });

/** One endpoint was asked more often than it may be; the headers tell when to come again. */
export const tooManyRequests = (headers: Readonly<Record<string, string>>) =>
  new Refusal(429, { message: { error: "This endpoint has been requested too many times. Try again later." } }, headers);

/** The token is good, but not for this. */
export const insufficientScope = (needed: readonly string[]) =>
  new Refusal(403, {
    error: "insufficient_scope",
    error_description: "The request requires higher privileges than provided by the access token.",
    scope: needed.join(" "),
  });
