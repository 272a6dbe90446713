/** What a token carries and what a route needs, in the terms of distribution's token authentication. */
import type { RegistryRoute } from './route.ts';
import type { RepositoryName, Tag } from './reference.ts';

/** Actions as they stand in scopes and in the `access` claim. */
export type ScopeAction = 'pull' | 'push' | 'delete' | 'promote' | 'inspect' | '*';

/** One entry of the `access` claim; for `registry` the name is `catalog` and the action `*`. */
export interface Access {
  readonly type: 'repository' | 'registry';
  readonly name: string;
  readonly actions: readonly ScopeAction[];
}

type RepositoryAction = 'pull' | 'push' | 'delete';

/** One thing that must be allowed. */
export interface Need {
  readonly repository: RepositoryName;
  readonly action: RepositoryAction;
  /** The tag that the request names; tag patterns are judged against it. */
  readonly tag?: Tag | undefined;
  /** A manifest to delete, by its digest: only the registry knows which tags lead to it. */
  readonly byDigest: boolean;
  /** Reading that a client does while pushing: a `push` grant is enough. */
  readonly readWhilePushing: boolean;
}

export type Requirement =
  | { readonly kind: 'login' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'repository'; readonly needs: readonly [Need, ...Need[]] };

interface RouteAccess {
  readonly action: Requirement['kind'] | RepositoryAction;
  readonly readWhilePushing: boolean;
}

/**
 * Every route and the one action that it is judged as, challenged for and logged under. A route without a line here does
 * not compile: it would be a route without a guard. The source of a mount is judged apart.
 */
export const routeAccess = {
  ping: { action: 'login', readWhilePushing: false },
  catalog: { action: 'catalog', readWhilePushing: false },
  tags: { action: 'pull', readWhilePushing: false },
  referrers: { action: 'pull', readWhilePushing: false },
  'manifest-get': { action: 'pull', readWhilePushing: true },
  'manifest-put': { action: 'push', readWhilePushing: false },
  'manifest-delete': { action: 'delete', readWhilePushing: false },
  'blob-get': { action: 'pull', readWhilePushing: true },
  'blob-delete': { action: 'delete', readWhilePushing: false },
  'upload-start': { action: 'push', readWhilePushing: false },
  // Its answer holds a signed key to the upload.
  'upload-status': { action: 'push', readWhilePushing: false },
  'upload-chunk': { action: 'push', readWhilePushing: false },
  'upload-finish': { action: 'push', readWhilePushing: false },
  // Cancelling is part of pushing, although distribution asks `delete` for it.
  'upload-cancel': { action: 'push', readWhilePushing: false },
} as const satisfies Readonly<Record<RegistryRoute['kind'], RouteAccess>>;

/** What a challenge asks for: pushing asks for `pull,push`, as every client does. */
const challengeActions: Readonly<Record<RepositoryAction, readonly ScopeAction[]>> = {
  pull: ['pull'],
  push: ['pull', 'push'],
  delete: ['delete'],
};

/** Never an empty list of needs. */
export function requiredAccess(route: RegistryRoute): Requirement {
  if (!('repository' in route)) return { kind: routeAccess[route.kind].action };
  const { repository } = route;
  const { action, readWhilePushing } = routeAccess[route.kind];
  const byDigest = route.kind === 'manifest-delete' && 'digest' in route.reference;
  const need = (tag?: Tag): Need => ({ repository, action, tag, byDigest, readWhilePushing });
  const [first = need(), ...rest] = tagsNamedBy(route).map(need);
  return { kind: 'repository', needs: [first, ...rest] };
}

function tagsNamedBy(route: RegistryRoute): readonly Tag[] {
  if ('reference' in route && 'tag' in route.reference) return [route.reference.tag];
  return route.kind === 'manifest-put' ? route.tags : [];
}

/** The access to name in a challenge. A mount names its source as well: some clients try again once and no more. */
export function challengeAccess(route: RegistryRoute): readonly Access[] {
  const requirement = requiredAccess(route);
  switch (requirement.kind) {
    case 'login':
      return [];
    case 'catalog':
      return [{ type: 'registry', name: 'catalog', actions: ['*'] }];
    case 'repository': {
      const [{ repository, action }] = requirement.needs;
      const own: Access = { type: 'repository', name: route.spelled ?? repository, actions: challengeActions[action] };
      const source = route.kind === 'upload-start' ? route.mount?.from : undefined;
      if (source === undefined || source === repository) return [own];
      return [own, { type: 'repository', name: source, actions: ['pull'] }];
    }
  }
}

/** Whether a token with `granted` reaches as far as `wanted`. `*` is never signed for a repository, so it is not looked for. */
export function carries(granted: readonly Access[], type: Access['type'], name: string, action: ScopeAction): boolean {
  return granted.some((entry) => entry.type === type && entry.name === name && entry.actions.includes(action));
}
