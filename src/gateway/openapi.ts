// OpenAPI 3.1, made from the table of routes and nothing else.
import * as z from "zod/mini";
import { type RouteName, routes } from "../core/api.ts";
import { failure, type Route } from "../core/api-shapes.ts";

const schemaOf = (schema: z.ZodMiniType, io: "input" | "output"): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Record<string, unknown>;
  return rest;
};

export function openapi(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, route] of Object.entries(routes) as [RouteName, Route][]) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(name, route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Steward",
      version,
      description: "Everything that Steward's page, terminal and older clients use. Streams are server-sent events.",
    },
    security: [{ token: [] }, { cookie: [] }],
    paths,
    components: {
      schemas: { Failure: schemaOf(failure, "output") },
      securitySchemes: { token: { type: "http", scheme: "bearer" }, cookie: { type: "apiKey", in: "cookie", name: "steward-<port>" } },
      responses: {
        Failure: {
          description: "What went wrong, and what to do.",
          content: { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } },
        },
      },
    },
  };
}

function operation(name: RouteName, route: Route): Record<string, unknown> {
  const parameters = [...pathParameters(route.path), ...(route.query ? queryParameters(schemaOf(route.query, "input")) : [])];
  return {
    operationId: name,
    summary: route.summary,
    tags: [name.split(".")[0]],
    "x-right": route.right,
    ...(route.right === "public" ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...requestBody(route),
    responses: { 200: { description: "Done.", content: answered(route) }, default: { $ref: "#/components/responses/Failure" } },
  };
}

const pathParameters = (path: string): object[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));

function queryParameters({ properties = {}, required = [] }: { properties?: Record<string, unknown>; required?: string[] }): object[] {
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: required.includes(name), schema }));
}

function requestBody(route: Route): object {
  if (route.raw === "upload")
    return { requestBody: { required: true, content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } } } };
  return route.body ? { requestBody: { required: true, content: { "application/json": { schema: schemaOf(route.body, "input") } } } } : {};
}

function answered(route: Route): object {
  const schema = schemaOf(route.response, "output");
  if (route.raw === "file") return { "application/octet-stream": { schema: { type: "string", format: "binary" } } };
  if (route.raw === "events") return { "application/json": { schema }, "text/event-stream": { schema: { type: "string" } } };
  return { "application/json": { schema } };
}
