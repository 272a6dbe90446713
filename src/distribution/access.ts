/** What a token carries and what a route needs, in the terms of distribution's token authentication. */
import type { RegistryRoute } from './route.ts';
import type { RepositoryName, Tag } from './reference.ts';

/** Actions as they stand in scopes and in the `access` claim. */
export type ScopeAction = 'pull' | 'push' | 'delete' | '*';

/** One entry of the `access` claim; for `registry` the name is `catalog` and the action `*`. */
export interface Access {
  readonly type: 'repository' | 'registry';
  readonly name: string;
  readonly actions: readonly ScopeAction[];
}

/** One thing that must be allowed. */
export interface Need {
  readonly repository: RepositoryName;
  readonly action: 'pull' | 'push' | 'delete';
  /** The tag that the request names; tag patterns are judged against it. */
  readonly tag?: Tag;
  /** Reading that a client does while pushing: a `push` grant is enough. */
  readonly readWhilePushing: boolean;
}

export type Requirement =
  | { readonly kind: 'login' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'repository'; readonly needs: readonly [Need, ...Need[]] };

/** Never an empty list of needs: a route without a need would be a route without a guard. The mount source is judged apart. */
export function requiredAccess(route: RegistryRoute): Requirement {
  switch (route.kind) {
    case 'ping':
      return { kind: 'login' };
    case 'catalog':
      return { kind: 'catalog' };
    case 'tags':
    case 'referrers':
      return one({ repository: route.repository, action: 'pull', readWhilePushing: false });
    case 'manifest-get': {
      const tag = 'tag' in route.reference ? { tag: route.reference.tag } : {};
      return one({ repository: route.repository, action: 'pull', readWhilePushing: true, ...tag });
    }
    case 'blob-get':
      return one({ repository: route.repository, action: 'pull', readWhilePushing: true });
    case 'manifest-put': {
      const named = 'tag' in route.reference ? [route.reference.tag] : route.tags;
      const [first, ...rest] = named.map((tag) => need(route.repository, 'push', tag));
      return first === undefined
        ? one(need(route.repository, 'push'))
        : { kind: 'repository', needs: [first, ...rest] };
    }
    case 'manifest-delete':
      return one(need(route.repository, 'delete', 'tag' in route.reference ? route.reference.tag : undefined));
    case 'blob-delete':
      return one(need(route.repository, 'delete'));
    // Cancelling an upload is part of pushing, although distribution asks `delete` for it.
    case 'upload-start':
    case 'upload-status':
    case 'upload-chunk':
    case 'upload-finish':
    case 'upload-cancel':
      return one(need(route.repository, 'push'));
  }
}

function one(only: Need): Requirement {
  return { kind: 'repository', needs: [only] };
}

function need(repository: RepositoryName, action: Need['action'], tag?: Tag): Need {
  return { repository, action, readWhilePushing: false, ...(tag === undefined ? {} : { tag }) };
}

/**
 * The access to name in a challenge: pushing asks for `pull,push`, as every client does. A mount names its source as well,
 * since some clients try again once and no more.
 */
export function challengeAccess(route: RegistryRoute): readonly Access[] {
  const requirement = requiredAccess(route);
  switch (requirement.kind) {
    case 'login':
      return [];
    case 'catalog':
      return [{ type: 'registry', name: 'catalog', actions: ['*'] }];
    case 'repository': {
      const [{ repository, action }] = requirement.needs;
      const own: Access = {
        type: 'repository',
        name: repository,
        actions: action === 'push' ? ['pull', 'push'] : [action],
      };
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
