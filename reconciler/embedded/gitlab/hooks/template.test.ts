import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderTemplate } from "./template.js";

describe("a custom template", () => {
  it("gives back every value as it was, whatever stands in it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, word) => {
        const body = JSON.stringify({ value: typeof value === "string" ? [value] : value, word });
        const rendered = renderTemplate('{"v": {{value}}, "w": "{{word}}"}', body);
        expect(JSON.parse(rendered ?? "null")).toEqual({ v: JSON.parse(body).value, w: word });
      }),
    );
  });

  it("never throws, and never makes what is no JSON", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("{{", "}}", "a", ".", '"', ":", "{", "}", "0") }), (template) => {
        const rendered = renderTemplate(template, '{"a": {"a": [0]}}');
        if (rendered !== undefined) JSON.parse(rendered);
      }),
    );
  });

  it("finds nothing that is not the body's own", () => {
    expect(renderTemplate("[{{constructor}}, {{a.__proto__}}, {{a.b}}]", '{"a": {}}')).toBe("[null,null,null]");
    expect(renderTemplate("[{{a.0}}]", '{"a": [1]}')).toBeUndefined();
  });
});
