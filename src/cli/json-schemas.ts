/** The JSON Schemas of the two kinds of file that people write, and of the lines that gateways write. */
import { auditLineSchema } from '../audit/line-schema.ts';
import { configSchema } from '../config/schema.ts';
import { jsonSchemaOf } from '../document/check.ts';
import { policyFileSchema } from '../policy/files/schema.ts';

export type SchemaKind = 'policy' | 'config' | 'audit';

const schemas: Readonly<Record<SchemaKind, () => Readonly<Record<string, unknown>>>> = {
  policy: () => jsonSchemaOf(policyFileSchema, 'Portcullis policy file'),
  config: () => jsonSchemaOf(configSchema, 'Portcullis configuration'),
  audit: () => jsonSchemaOf(auditLineSchema, 'Line of a Portcullis audit file'),
};

/** The text of `schema/<kind>.schema.json`, with a line end. */
export function schemaText(kind: SchemaKind): string {
  return `${format(schemas[kind]())}\n`;
}

const lineWidth = 120;

/** As prettier writes it, so that the committed copies stay as they are. `column` is where the value begins. */
function format(value: unknown, indent = '', column = 0): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    const isScalars = value.every((item) => typeof item !== 'object');
    if (isScalars && column + line.length < lineWidth) return line;
    return `[\n${value.map((item) => inner + format(item, inner, inner.length)).join(',\n')}\n${indent}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => {
    const label = `${inner}${JSON.stringify(key)}: `;
    return label + format(item, inner, label.length);
  });
  return entries.length === 0 ? '{}' : `{\n${entries.join(',\n')}\n${indent}}`;
}
