/** The scope of a token with which the gateway itself comes to a registry: what the one request needs, and nothing more. */
import { type Access, challengeAccess } from './access.ts';
import { type RegistryRoute, parseRoute } from './route.ts';
import { formatScopes } from './scope.ts';

/** Of a request by its method and target, in the registry's own names; '' where it needs none, or nobody can tell. */
export function registryScope(method: string, target: string): string {
  // What stands behind an upload's place is the registry's own, and need not be anything that can be read.
  const [path = ''] = target.split('?', 1);
  const plain = method === 'POST' ? target : path.replace(/(\/blobs\/uploads)(?:\/[^/]*)?$/, '$1/0');
  const parsed = parseRoute(method, plain);
  return 'route' in parsed ? formatScopes(accessOf(parsed.route)) : '';
}

function accessOf(route: RegistryRoute): readonly Access[] {
  const access = challengeAccess(route);
  // distribution asks `delete` for it, others what a push needs.
  if (route.kind === 'upload-cancel') return access.map((each) => ({ ...each, actions: ['push', 'delete'] }));
  return access;
}
