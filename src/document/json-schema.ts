/** The same schemas for editors. */
import { z } from 'zod';

/** JSON Schema draft-07 of what a person writes, for editors: `yaml-language-server` completes, checks and explains by it. */
export function jsonSchemaOf(schema: z.ZodType, title: string): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' });
  return { $schema, title, ...rest };
}
