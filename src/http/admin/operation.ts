/** One thing that the admin API does: how it is asked for, what it answers, and a function that knows nothing of HTTP. */
import { z } from 'zod';

export interface Operation<Parts> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{id}` stands for one segment. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly answer: z.ZodType;
  readonly run: (parts: Parts, given: Given) => Promise<Result>;
}

interface Given {
  readonly id: string;
  readonly query: URLSearchParams;
}

export type Result =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly reason: 'invalid' | 'unknown' | 'unavailable'; readonly detail: string };

/** For a log or a reply, in ISO 8601. */
export function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** OpenAPI 3.1, whose schemas are JSON Schema. */
export function openApiDocument(operations: readonly Operation<never>[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, query = {}, answer: schema } of operations) {
    const inPath = path.endsWith('{id}')
      ? [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }]
      : [];
    const inQuery = Object.entries(query).map(([name, description]) => ({
      name,
      in: 'query',
      required: method === 'DELETE',
      description,
      schema: { type: 'string' },
    }));
    const content = Object.entries(z.toJSONSchema(schema)).filter(([key]) => key !== '$schema');
    (paths[path] ??= {})[method.toLowerCase()] = {
      summary,
      parameters: [...inPath, ...inQuery],
      responses: {
        200: { description: 'done', content: { 'application/json': { schema: Object.fromEntries(content) } } },
        default: {
          description: 'a problem (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Portcullis admin API', version },
    security: [{ adminToken: [] }],
    paths,
    components: {
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } },
      schemas: {
        Problem: {
          type: 'object',
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
          },
          required: ['title', 'status'],
        },
      },
    },
  };
}
