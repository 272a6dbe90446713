/** As much of JSON Schema draft-07 as the published schemas use, read as the specification says; anything else throws. */

type Schema = Readonly<Record<string, unknown>>;

const known = new Set([
  ...['$schema', 'title', 'description', 'type', 'properties', 'required', 'additionalProperties', 'propertyNames'],
  ...['items', 'minItems', 'maxItems', 'enum', 'const', 'anyOf', 'oneOf', 'pattern', 'minLength', 'maxLength'],
  ...['minProperties', 'minimum', 'maximum', 'exclusiveMinimum', 'default'],
]);

/** The paths at which `value` does not satisfy `schema`; empty when it does. */
export function violations(schema: unknown, value: unknown, path = ''): readonly string[] {
  const rules = schemaAt(schema, path);
  for (const keyword of Object.keys(rules)) {
    if (!known.has(keyword)) throw new Error(`${path}: the keyword ${keyword} is not implemented here`);
  }
  const alternatives = rules['anyOf'] ?? rules['oneOf'];
  const failed = [
    rules['type'] !== undefined && !isType(rules['type'], value),
    Array.isArray(rules['enum']) && !rules['enum'].includes(value),
    'const' in rules && rules['const'] !== value,
    Array.isArray(alternatives) && !alternatives.some((one) => violations(one, value, path).length === 0),
    typeof value === 'string' && !isText(rules, value),
    typeof value === 'number' && !isNumber(rules, value),
    isObject(value) && Object.keys(value).length < bound(rules, 'minProperties', 0),
    Array.isArray(value) && (value.length < bound(rules, 'minItems', 0) || value.length > bound(rules, 'maxItems')),
  ];
  if (failed.includes(true)) return [path === '' ? '(root)' : path];
  if (Array.isArray(value)) {
    const { items } = rules;
    return items === undefined ? [] : value.flatMap((item, index) => violations(items, item, `${path}[${index}]`));
  }
  return isObject(value) ? objectViolations(rules, value, path) : [];
}

/** Every schema below, with the path that leads to it. */
export function* schemasIn(schema: unknown, path = ''): Iterable<readonly [path: string, schema: Schema]> {
  const rules = schemaAt(schema, path);
  yield [path, rules];
  const { properties, additionalProperties, items, anyOf, oneOf } = rules;
  for (const [key, inner] of Object.entries(isObject(properties) ? properties : {}))
    yield* schemasIn(inner, `${path}.${key}`);
  if (isObject(additionalProperties)) yield* schemasIn(additionalProperties, `${path}.*`);
  if (isObject(items)) yield* schemasIn(items, `${path}[]`);
  for (const inner of [anyOf, oneOf].flatMap((all): readonly unknown[] => (Array.isArray(all) ? all : [])))
    yield* schemasIn(inner, path);
}

function objectViolations(rules: Schema, value: Schema, path: string): readonly string[] {
  const properties = isObject(rules['properties']) ? rules['properties'] : {};
  const required = Array.isArray(rules['required']) ? rules['required'].map(String) : [];
  const { additionalProperties, propertyNames } = rules;
  return [
    ...required.filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}.${key} is missing`),
    ...Object.entries(value).flatMap(([key, item]) => {
      const at = `${path}.${key}`;
      if (propertyNames !== undefined && violations(propertyNames, key, at).length > 0) return [`${at} as a name`];
      if (Object.hasOwn(properties, key)) return violations(properties[key], item, at);
      if (additionalProperties === false) return [`${at} is unknown`];
      return isObject(additionalProperties) ? violations(additionalProperties, item, at) : [];
    }),
  ];
}

function isType(type: unknown, value: unknown): boolean {
  if (Array.isArray(type)) return type.some((one) => isType(one, value));
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isText(rules: Schema, value: string): boolean {
  const { pattern } = rules;
  const { length } = [...value];
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) return false;
  return length >= bound(rules, 'minLength', 0) && length <= bound(rules, 'maxLength');
}

function isNumber(rules: Schema, value: number): boolean {
  return (
    value >= bound(rules, 'minimum', -Infinity) &&
    value <= bound(rules, 'maximum') &&
    value > bound(rules, 'exclusiveMinimum', -Infinity)
  );
}

function bound(rules: Schema, keyword: string, otherwise = Infinity): number {
  const { [keyword]: value } = rules;
  return typeof value === 'number' ? value : otherwise;
}

function schemaAt(schema: unknown, path: string): Schema {
  if (!isObject(schema)) throw new Error(`${path}: not a schema`);
  return schema;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
