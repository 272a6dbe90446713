/** Fields of a form or query as people leave them: what is empty, or blanks only, was not filled in. */

/** Of these fields those that were filled in, without the blanks around them. */
export function filledIn<Name extends string>(
  fields: URLSearchParams,
  names: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  const found = names.map((name) => [name, fields.get(name)?.trim() ?? ''] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== '')) as Partial<Record<Name, string>>;
}
