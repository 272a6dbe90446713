/** The admin API for programs that read OpenAPI. */
import { z } from 'zod';
import type { Operation } from './operation.ts';

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
