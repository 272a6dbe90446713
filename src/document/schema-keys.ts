/** What a zod schema has below a path. The only file that looks into the insides of zod 4 (`_zod.def`). */
import type { z } from 'zod';
import type { Path } from './yaml.ts';

/** The keys any object schema at `path` knows. */
export function allowedKeys(schema: z.ZodType, path: Path): readonly string[] {
  let here: readonly z.core.$ZodType[] = [schema];
  for (const step of path) here = here.flatMap((candidate) => childSchemas(candidate, step));
  return [...new Set(here.flatMap((candidate) => unwrap(candidate)).flatMap(keysOf))];
}

function keysOf(schema: z.core.$ZodType): readonly string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'object') return Object.keys(def.shape);
  if (def.type !== 'record') return [];
  const key = (def.keyType as z.core.$ZodTypes)._zod.def;
  return key.type === 'enum' ? Object.values(key.entries).map(String) : [];
}

function childSchemas(schema: z.core.$ZodType, step: string | number): readonly z.core.$ZodType[] {
  return unwrap(schema).flatMap((inner) => {
    const { def } = (inner as z.core.$ZodTypes)._zod;
    if (def.type === 'record' || def.type === 'map') return [def.valueType];
    if (def.type === 'array') return [def.element];
    if (def.type === 'object') return (Object.hasOwn(def.shape, step) ? def.shape[step] : def.catchall) ?? [];
    return def.type === 'tuple' && typeof step === 'number' ? (def.items[step] ?? def.rest ?? []) : [];
  });
}

/** The schema without wrappers; a union or intersection yields its parts. `lazy` is followed once for each use. */
function unwrap(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if ('innerType' in def) return unwrap(def.innerType);
  if (def.type === 'pipe') return unwrap(def.in);
  if (def.type === 'lazy') return unwrap(def.getter());
  if (def.type === 'union') return def.options.flatMap(unwrap);
  return def.type === 'intersection' ? [...unwrap(def.left), ...unwrap(def.right)] : [schema];
}
