import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { failureError, meaningOf, meansAbsent } from "./failures.js";

const golden = JSON.parse(readFileSync(new URL("../../../test/fixtures/golden/flintlock-v0.11.0.json", import.meta.url), "utf8")) as {
  readonly cases: readonly {
    readonly name: string;
    readonly method: string;
    readonly error?: { readonly code: number; readonly message: string };
  }[];
};
const refusals = golden.cases.flatMap(({ name, method, error }) => (error === undefined ? [] : [{ name, method, error }]));

describe("the recorded errors", () => {
  it("are many", () => expect(refusals.length).toBeGreaterThan(15));

  it.each(refusals.map((one) => [one.name, one] as const))("%s", (name, { method, error }) => {
    const failure = { code: error.code, text: error.message };
    if (/unknown|namespace\/id/.test(name) && method !== "ListMicroVMs") {
      expect(meansAbsent(failure)).toBe(true);
      return;
    }
    expect(meansAbsent(failure)).toBe(false);
    expect(meaningOf(failure)).toMatchObject({ code: "FR-FLINTLOCK-REJECTED", retryable: false });
    expect(failureError("create", "creating x", failure).message).toContain(error.message);
  });
});

const noConnection = (why: string) => `No connection established. Last error: ${why}. Resolution note: `;

describe("the other errors that are known", () => {
  it.each<[string, number, string, string, boolean, string]>([
    ["an unknown provider", status.UNKNOWN, "creating microvm: microvm provider qemu isn't available", "FR-FLINTLOCK-REJECTED", false, ""],
    [
      "a wedged namespace",
      status.UNKNOWN,
      "getting all microvms: unexpected vmid format: gold/a/b/X",
      "FR-FLINTLOCK-REJECTED",
      false,
      "by hand",
    ],
    [
      "a list during a removal",
      status.UNKNOWN,
      "getting all microvms: error attempting to list microvms: map[namespace:rec]: getting microvm spec: reading content sha256:ab: failed reading from content store",
      "FR-FLINTLOCK-REJECTED",
      true,
      "",
    ],
    [
      "trouble of the store",
      status.UNKNOWN,
      "creating microvm: saving microvm spec: lease does not exist",
      "FR-FLINTLOCK-UNKNOWN",
      true,
      "",
    ],
    ["a full disk", status.UNKNOWN, "creating microvm: publishing event: no space left on device", "FR-FLINTLOCK-UNKNOWN", true, ""],
    ["a content that is gone", status.UNKNOWN, "getting microvm: content sha256:ab: not found", "FR-FLINTLOCK-UNKNOWN", true, ""],
    ["a refusal of another server", status.PERMISSION_DENIED, "no", "FR-HOST-UNAUTHORIZED", false, "token"],
    ["no token", status.UNAUTHENTICATED, "could not extract token from request header: x", "FR-HOST-UNAUTHORIZED", false, "wants a token"],
    ["a wrong token", status.UNAUTHENTICATED, "invalid auth token: x", "FR-HOST-UNAUTHORIZED", false, "check that"],
    ["another service", status.UNIMPLEMENTED, "unknown service", "FR-FLINTLOCK-REJECTED", false, "does not speak Flintlock"],
    ["a host that is off", status.UNAVAILABLE, noConnection("Error: connect ECONNREFUSED"), "FR-HOST-UNREACHABLE", true, ""],
    ["a deadline", status.DEADLINE_EXCEEDED, "no answer within 10000 ms", "FR-HOST-UNREACHABLE", true, ""],
    ["a stop", status.CANCELLED, "the service is stopping", "FR-HOST-UNREACHABLE", true, ""],
    ["a port of something else", status.UNAVAILABLE, noConnection("Protocol error (x)"), "FR-HOST-UNREACHABLE", true, "check the port"],
    ["an answer that is too long", status.RESOURCE_EXHAUSTED, "Received message larger than max", "FR-FLINTLOCK-UNKNOWN", true, ""],
  ])("%s", (_name, code, text, wanted, retryable, advice) => {
    const failure = { code, text };
    expect(meansAbsent(failure)).toBe(false);
    const error = failureError("delete", 'deleting microVM U on host "h" (1.2.3.4:9090)', failure);
    expect(error).toMatchObject({ code: wanted, retryable, details: { grpcCode: code, text } });
    expect(error.message).toContain(text.trim());
    expect(error.message).toMatch(/^deleting microVM U on host "h" \(1\.2\.3\.4:9090\) failed: /);
    expect(error.message).toContain(advice);
  });

  it("knows what was never sent: then a Create left nothing to search for", () => {
    const unsent = { code: status.UNAVAILABLE, text: noConnection("Error: connect ECONNREFUSED") };
    expect(failureError("create", "creating x", unsent)).toMatchObject({ retryable: false, details: { sent: false } });
    expect(failureError("list", "listing x", unsent)).toMatchObject({ retryable: true, details: { sent: false } });
    const doubtful = { code: status.UNAVAILABLE, text: "Connection dropped" };
    expect(failureError("create", "creating x", doubtful).retryable).toBe(true);
    expect(failureError("create", "creating x", doubtful).details).not.toHaveProperty("sent");
  });

  it("takes a plain NOT_FOUND for absence too, as other servers of this API say it", () => {
    expect(meansAbsent({ code: status.NOT_FOUND, text: "" })).toBe(true);
  });
});
