import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCgiHead } from "./cgi-answer.js";

describe("a CGI answer", () => {
  it("has a status of its own or 200, and headers until the first empty line", () => {
    const answer = readCgiHead(Buffer.from("Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nbody\r\n\r\nmore"));
    expect(answer?.head).toEqual({ status: 404, headers: [["content-type", "text/plain"]] });
    expect(answer?.body.toString()).toBe("body\r\n\r\nmore");
    expect(readCgiHead(Buffer.from("A: b\n\n"))?.head).toEqual({ status: 200, headers: [["a", "b"]] });
    expect(readCgiHead(Buffer.from("Status: odd\n\n"))?.head.status).toBe(502);
    expect(readCgiHead(Buffer.from("A: b\r\n"))).toBeUndefined();
  });

  it("keeps the body as it is, wherever it is cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const body = Buffer.from(bytes);
        const answer = readCgiHead(Buffer.concat([Buffer.from("Content-Type: x\r\n\r\n"), body]));
        expect(answer?.body.equals(body)).toBe(true);
      }),
    );
  });
});
