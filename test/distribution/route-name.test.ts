import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routeNameOf } from '../../src/distribution/route-name.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.each([
  ['/v2', 'ping'],
  ['/v2/', 'ping'],
  ['/v2/?x=/a/manifests/b', 'ping'],
  ['/v2/_catalog?n=1', 'catalog'],
  ['/token?scope=repository:a/manifests/b:pull', 'token'],
  ['/token/revoke', 'token'],
  ['/v2/team/app/manifests/v1', 'manifest'],
  ['/v2/team/manifests/blobs/manifests/v1', 'manifest'],
  [`/v2/app/blobs/${digest}`, 'blob'],
  ['/v2/app/blobs/uploads', 'upload'],
  ['/v2/app/blobs/uploads/', 'upload'],
  [`/v2/app/blobs/uploads/?digest=${digest}`, 'upload'],
  ['/v2/app/blobs/uploads/0b5c?_state=/x/manifests/y', 'upload'],
  ['/v2/app/tags/list?n=5', 'tags'],
  [`/v2/app/referrers/${digest}`, 'referrers'],
  ['/', 'ui'],
  ['/ui', 'ui'],
  ['/ui/', 'ui'],
  ['/ui/r/team/app?tag=v1', 'ui'],
  ['/uix', 'other'],
  ['/api/v1/tags?repository=team/app', 'api'],
  ['/api/v2/x', 'other'],
  ['/.well-known/jwks.json', 'other'],
  ['/v2/app', 'other'],
  ['/v2/app/', 'other'],
  ['/manifests/v1', 'other'],
  ['', 'other'],
])('%s is about: %s', (target, name) => {
  expect(routeNameOf(target)).toBe(name);
});

test('whatever is asked for has one of eleven names', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('v2', 'manifests', 'blobs', 'uploads', 'tags', 'constructor', '?'),
  );
  const names = ['ping', 'token', 'manifest', 'blob', 'upload', 'tags', 'catalog', 'referrers', 'ui', 'api', 'other'];
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      expect(names).toContain(routeNameOf(`/${parts.join('/')}`));
    }),
  );
});
