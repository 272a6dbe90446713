/** The scope grammar of distribution's token authentication (spec/auth/scope.md, "Resource Scope Grammar"). */
import type { Access, ScopeAction } from './access.ts';
import { parseRepositoryName } from './reference.ts';
import type { Upstreams } from './upstreams.ts';

/** `fitting`: how many of the `requested` resources, in their order, one token could carry. */
export interface ScopesProblem {
  readonly reason: 'scopes_too_many';
  readonly requested: number;
  readonly fitting: number;
}

/** Characters of the `access` claim in JSON: with it a token stays below 48 KiB, which headers have room for. */
export const maxAccessLength = 35_450;

const order: readonly ScopeAction[] = ['pull', 'push', 'delete', 'promote', 'inspect', '*'];

/**
 * Reads repeated and space-separated scopes alike; entries for one resource are merged.
 * `canonical`: the one spelling of a name, of several. What this registry does not know (types, names outside the grammar, actions) is dropped: the specification makes
 * a partial grant normal. Bound by the size of the token, whatever will be granted of it: judging costs more than counting.
 */
export function parseScopes(
  values: readonly string[],
  canonical: Upstreams['canonical'] = (name) => name,
): readonly Access[] | ScopesProblem {
  const resources = new Map<string, Access>();
  for (const text of values.flatMap((value) => value.split(' '))) {
    const access = parseScope(text, canonical);
    if (access === undefined) continue;
    const key = `${access.type}:${access.name}`;
    resources.set(key, merge(resources.get(key), access));
  }
  const requested = [...resources.values()];
  // Of the brackets; each entry brings its comma.
  let length = 1;
  const fitting = requested.findIndex((access) => (length += JSON.stringify(access).length + 1) > maxAccessLength);
  return fitting === -1 ? requested : { reason: 'scopes_too_many', requested: requested.length, fitting };
}

/** Splits at the first and the last colon, because a name may carry a port. */
function parseScope(text: string, canonical: Upstreams['canonical']): Access | undefined {
  const first = text.indexOf(':');
  const last = text.lastIndexOf(':');
  if (first === -1 || first === last) return undefined;
  const type = text.slice(0, first).replace(/\([a-z0-9]+\)$/, '');
  const name = text.slice(first + 1, last);
  const actions = sortActions(text.slice(last + 1).split(','));
  if (type === 'registry') return name === 'catalog' ? { type, name, actions } : undefined;
  const repository = type === 'repository' ? parseRepositoryName(name) : undefined;
  return repository === undefined ? undefined : { type: 'repository', name: canonical(repository), actions };
}

function merge(before: Access | undefined, next: Access): Access {
  return before === undefined ? next : { ...next, actions: sortActions([...before.actions, ...next.actions]) };
}

function sortActions(actions: readonly string[]): readonly ScopeAction[] {
  return order.filter((action) => actions.includes(action));
}

/** Space-separated, actions in one fixed order; '' for no access. */
export function formatScopes(access: readonly Access[]): string {
  return access.map(({ type, name, actions }) => `${type}:${name}:${sortActions(actions).join(',')}`).join(' ');
}
