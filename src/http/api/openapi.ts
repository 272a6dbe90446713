/** The OpenAPI 3.1 document of a listener, made of the operations that it serves: their schemas are JSON Schema. */
import { z } from 'zod';
import type { Operation } from '../../operations/operation.ts';

/** What is said of an operation. */
export type Described = Pick<Operation<never>, 'method' | 'path' | 'summary' | 'needs' | 'input' | 'answer'>;

/** How callers say who they are. */
export type SecuritySchemes = Readonly<Record<string, Readonly<Record<string, string>>>>;

const problemSchema = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    requestId: { type: 'string', description: 'As in X-Request-Id, and in the audit record.' },
    traceId: { type: 'string', description: 'W3C Trace Context, as in the audit record.' },
  },
  required: ['title', 'status', 'requestId', 'traceId'],
};

/** `base`: what stands before each path. */
export function openApiDocument(
  described: readonly Described[],
  { base, version, schemes }: { readonly base: string; readonly version: string; readonly schemes: SecuritySchemes },
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const each of described) (paths[base + each.path] ??= {})[each.method.toLowerCase()] = operationOf(each);
  return {
    openapi: '3.1.0',
    info: { title: 'Portcullis', version },
    security: Object.keys(schemes).map((name) => ({ [name]: [] })),
    paths,
    components: { securitySchemes: schemes, schemas: { Problem: problemSchema } },
  };
}

const needed: Readonly<Record<Described['needs'], string>> = {
  anybody: 'Whoever may see something, also without an account.',
  account: 'An account; it sees what it may.',
  person: 'A person, with their password or on the page: no token.',
  inspect: 'The right to inspect every repository.',
  administer: 'The right to administer every repository, with a password or on the page: no token.',
};

function operationOf({ method, path, summary, needs, input, answer }: Described): unknown {
  const { properties = {}, required = [] } = schemaOf(input, 'input') as {
    readonly properties?: Readonly<Record<string, Record<string, unknown>>>;
    readonly required?: readonly string[];
  };
  const parameters = Object.entries(properties).map(([name, { description, ...schema }]) => {
    const isInPath = name === 'id' && path.endsWith('/{id}');
    const place = { in: isInPath ? 'path' : 'query', required: isInPath || required.includes(name) };
    return { name, ...place, ...(description === undefined ? {} : { description }), schema };
  });
  const body = { required: required.length > 0, content: { 'application/json': { schema: schemaOf(input, 'input') } } };
  return {
    operationId: operationId(method, path),
    summary,
    description: needed[needs],
    ...(method === 'POST' ? { requestBody: body } : { parameters }),
    ...(needs === 'anybody' ? { security: [{}] } : {}),
    responses: {
      200: { description: 'done', content: { 'application/json': { schema: schemaOf(answer, 'output') } } },
      default: {
        description: 'a problem (RFC 9457)',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

/** `DELETE /sessions/{id}` is `deleteSessionsById`: what generated clients call it. */
function operationId(method: string, path: string): string {
  const words = path.replace('{id}', 'by-id').split(/[^A-Za-z0-9]+/);
  return method.toLowerCase() + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const made = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return Object.fromEntries(Object.entries(made).filter(([key]) => key !== '$schema'));
}
