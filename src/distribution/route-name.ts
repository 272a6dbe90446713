/** Requests sorted by what they are about, for figures: a handful of names, whatever a client makes up. */

export const routeNames = [
  'ping',
  'token',
  'manifest',
  'blob',
  'upload',
  'tags',
  'catalog',
  'referrers',
  'ui',
  'api',
  'other',
] as const;
export type RouteName = (typeof routeNames)[number];

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type MethodName = (typeof methods)[number] | 'other';

/** Of the methods that clients of a registry or browsers use. */
export function methodNameOf(method: string): MethodName {
  return methods.find((each) => each === method) ?? 'other';
}

/** By the last part of a path but one. */
const names = new Map<string, RouteName>([
  ['manifests', 'manifest'],
  ['blobs', 'blob'],
  ['uploads', 'upload'],
  ['tags', 'tags'],
  ['referrers', 'referrers'],
]);
const whole = new Map<string, RouteName>([
  ['/v2', 'ping'],
  ['/v2/', 'ping'],
  ['/v2/_catalog', 'catalog'],
  ['/token', 'token'],
  ['/token/revoke', 'token'],
  ['/', 'ui'],
  ['/ui', 'ui'],
]);

/** Of a request target. What no client sends is not told apart: whether it is a route, the parser says. */
export function routeNameOf(target: string): RouteName {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const found = whole.get(path);
  if (found !== undefined) return found;
  if (!path.startsWith('/v2/')) return path.startsWith('/ui/') ? 'ui' : path.startsWith('/api/v1/') ? 'api' : 'other';
  const last = path.lastIndexOf('/');
  const name = names.get(path.slice(path.lastIndexOf('/', last - 1) + 1, last)) ?? 'other';
  return name === 'blob' && path.endsWith('/uploads') ? 'upload' : name;
}
