import { describe, expect, test } from 'vitest';
import { registryScope } from '../../src/distribution/registry-scope.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('a request to a registry needs a token for exactly this', () => {
  test.each([
    ['GET', '/v2/', ''],
    ['GET', '/v2/_catalog?n=100', 'registry:catalog:*'],
    ['GET', '/v2/team/app/tags/list?last=x%2Fy&token=~', 'repository:team/app:pull'],
    ['HEAD', '/v2/team/app/manifests/v1', 'repository:team/app:pull'],
    ['GET', `/v2/team/app/blobs/${digest}`, 'repository:team/app:pull'],
    ['GET', `/v2/team/app/referrers/${digest}?artifactType=a`, 'repository:team/app:pull'],
    ['PUT', '/v2/team/app/manifests/v1', 'repository:team/app:pull,push'],
    ['DELETE', '/v2/team/app/manifests/v1', 'repository:team/app:delete'],
    ['DELETE', `/v2/team/app/blobs/${digest}`, 'repository:team/app:delete'],
    ['POST', '/v2/team/app/blobs/uploads/', 'repository:team/app:pull,push'],
    [
      'POST',
      `/v2/team/app/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=team/base`,
      'repository:team/app:pull,push repository:team/base:pull',
    ],
    ['PATCH', '/v2/team/app/blobs/uploads/4f2', 'repository:team/app:pull,push'],
    ['PATCH', '/v2/team/app/blobs/uploads/A%2Bb~$?_state=%2f==&x', 'repository:team/app:pull,push'],
    ['PUT', '/v2/team/app/blobs/uploads/?state=a&digest=b', 'repository:team/app:pull,push'],
    ['PUT', '/v2/team/app/blobs/uploads?state=a', 'repository:team/app:pull,push'],
    ['DELETE', '/v2/team/app/blobs/uploads/4f2', 'repository:team/app:push,delete'],
    ['GET', '/elsewhere', ''],
  ])('%s %s', (method, target, scope) => {
    expect(registryScope(method, target)).toBe(scope);
  });
});
