import { z } from "zod";
import { adminOperations } from "./admin-operations.js";
import type { Content, Operation, Proof } from "./operation.js";
import { guestOperations, publicOperations } from "./other-operations.js";
import { type SchemaName, schemas } from "./schemas.js";

/** A piece of JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** One listener: what it answers, and where it is when the service file says nothing else. */
interface Section {
  readonly name: string;
  readonly what: string;
  readonly url: string;
  readonly operations: readonly Operation[];
}

const sections: readonly Section[] = [
  { name: "admin", what: "For people and their tools", url: "http://127.0.0.1:8472", operations: adminOperations },
  { name: "guest", what: "For the agents in the microVMs", url: "http://127.0.0.1:8471", operations: guestOperations },
  { name: "public", what: "For forges", url: "http://127.0.0.1:8470", operations: publicOperations },
];

const securitySchemes: Json = {
  adminToken: { type: "http", scheme: "bearer", description: "The token of `admin.token`, or of the file `admin-token` in `stateDir`" },
  guestSession: { type: "http", scheme: "bearer", description: "`VM:SECRET`, with the secret whose digest was claimed with" },
  webhookToken: { type: "apiKey", in: "header", name: "X-Gitlab-Token" },
  webhookSignature: { type: "apiKey", in: "header", name: "webhook-signature", description: "With `webhook-id` and `webhook-timestamp`" },
};

const proofs: Readonly<Record<Proof, readonly Json[]>> = {
  adminToken: [{ adminToken: [] }],
  guestSession: [{ guestSession: [] }],
  webhook: [{ webhookToken: [] }, { webhookSignature: [] }],
  nobody: [],
};

const reference = (name: SchemaName): Json => ({ $ref: `#/components/schemas/${name}` });

/** The OpenAPI 3.1 document of all three listeners, made of the schemas by which requests and records are checked. */
export function openApiDocument(): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { name, url, operations } of sections) {
    for (const operation of operations) {
      const path = operation.path.replace(/:(\w+)/g, "{$1}");
      paths[path] ??= { servers: [{ url }] };
      Object.assign(paths[path], { [operation.method]: described(operation, name) });
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "FireRunner",
      version: "1",
      description: "Times are milliseconds since the Unix epoch. A list with `next` goes on: ask again with `after` set to it.",
    },
    servers: sections.slice(0, 1).map(({ url }) => ({ url })),
    tags: sections.map(({ name, what }) => ({ name, description: what })),
    paths,
    components: {
      securitySchemes,
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, { schema, io }]) => [name, jsonSchemaOf(schema, io)])),
    },
  };
}

function described({ id, what, proof, query, headers = [], path, body, answers }: Operation, tag: string): Json {
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } })),
    ...(query === undefined ? [] : queryParameters(query)),
    ...headers.map(({ name, what: description }) => ({ name, in: "header", description, schema: { type: "string" } })),
  ];
  const refusal = tag === "guest" ? { text: "text/plain", what: "`message=` and why" } : { one: "Error" as const };
  return {
    operationId: id,
    summary: what,
    tags: [tag],
    security: proofs[proof],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: body.optional !== true, content: contentOf(body) } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, content]) => [status, answer(content)])),
      default: answer(refusal, "A refusal"),
    },
  };
}

function answer(content: Content, description = "text" in content ? content.what : "Done"): Json {
  return "nothing" in content ? { description } : { description, content: contentOf(content) };
}

function contentOf(content: Content): Json {
  if ("nothing" in content) return {};
  if ("text" in content) return { [content.text]: { schema: { type: "string" } } };
  return { "application/json": { schema: schemaOf(content) } };
}

function schemaOf(content: Exclude<Content, { readonly text: string } | { readonly nothing: true }>): Json {
  if ("one" in content) return reference(content.one);
  const items = { type: "array", items: reference("page" in content ? content.page : content.items) };
  // Of events `next` is a number, of everything else a key.
  const next = "page" in content ? { next: { type: ["string", "integer"] } } : {};
  return { type: "object", properties: { items, ...next }, required: ["items"], additionalProperties: false };
}

function queryParameters(query: z.ZodObject): readonly Json[] {
  const { properties = {} } = jsonSchemaOf(query, "input") as { readonly properties?: Json };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", schema }));
}

/** What a transformation makes of a text is text again: there is no other one in what goes over the wire. */
function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "transform") jsonSchema.type = "string";
    },
  });
  return json;
}
