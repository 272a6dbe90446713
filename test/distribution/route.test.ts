import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { type Need, challengeAccess, requiredAccess } from '../../src/distribution/access.ts';
import { type Method, type RegistryRoute, parseRoute } from '../../src/distribution/route.ts';
import { formatTarget } from '../../src/distribution/target.ts';
import { formatScopes } from '../../src/distribution/scope.ts';

const hex = '0123456789abcdef'.repeat(4);
const digest = `sha256:${hex}`;
const sha512 = `sha512:${hex.repeat(2)}`;
const id = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';
const methods: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

function routeOf(method: string, target: string): RegistryRoute {
  const parsed = parseRoute(method, target);
  if ('problem' in parsed) throw new Error(`${method} ${target}: ${parsed.problem.reason}`);
  return parsed.route;
}

function reasonOf(method: string, target: string): string {
  const parsed = parseRoute(method, target);
  return 'problem' in parsed ? parsed.problem.reason : `a route: ${parsed.route.kind}`;
}

/** `pull team/app:1 (or push)`: what must be allowed, in words. */
function needsOf(route: RegistryRoute): readonly string[] {
  const requirement = requiredAccess(route);
  const words = ({ action, repository, tag, readWhilePushing }: Need): string =>
    `${action} ${repository}${tag === undefined ? '' : `:${tag}`}${readWhilePushing ? ' (or push)' : ''}`;
  return requirement.kind === 'repository' ? requirement.needs.map(words) : [requirement.kind];
}

/** One row per route: the methods it answers, what it is read as, what must be allowed, what a challenge asks for. */
interface RouteRow {
  readonly target: string;
  readonly on: Partial<Record<Method, readonly [kind: RegistryRoute['kind'], needs: readonly string[], scope: string]>>;
}

const pull = 'repository:team/app:pull';
const push = 'repository:team/app:pull,push';
const remove = 'repository:team/app:delete';

const pulls = (kind: RegistryRoute['kind'], need: string): RouteRow['on'] => ({
  GET: [kind, [need], pull],
  HEAD: [kind, [need], pull],
});
const pushes = ['push team/app'];

const table: readonly RouteRow[] = [
  { target: '/v2', on: { GET: ['ping', ['login'], ''], HEAD: ['ping', ['login'], ''] } },
  { target: '/v2/', on: { GET: ['ping', ['login'], ''], HEAD: ['ping', ['login'], ''] } },
  { target: '/v2/_catalog', on: { GET: ['catalog', ['catalog'], 'registry:catalog:*'] } },
  { target: '/v2/_catalog?n=10&last=a/b', on: { GET: ['catalog', ['catalog'], 'registry:catalog:*'] } },
  { target: '/v2/team/app/tags/list', on: { GET: ['tags', ['pull team/app'], pull] } },
  {
    target: '/v2/team/app/manifests/1.0',
    on: {
      ...pulls('manifest-get', 'pull team/app:1.0 (or push)'),
      PUT: ['manifest-put', ['push team/app:1.0'], push],
      DELETE: ['manifest-delete', ['delete team/app:1.0'], remove],
    },
  },
  {
    target: `/v2/team/app/manifests/${digest}`,
    on: {
      ...pulls('manifest-get', 'pull team/app (or push)'),
      PUT: ['manifest-put', ['push team/app'], push],
      DELETE: ['manifest-delete', ['delete team/app'], remove],
    },
  },
  {
    target: `/v2/team/app/manifests/${digest}?tag=a&tag=b&tag=a`,
    on: {
      ...pulls('manifest-get', 'pull team/app (or push)'),
      PUT: ['manifest-put', ['push team/app:a', 'push team/app:b'], push],
      DELETE: ['manifest-delete', ['delete team/app'], remove],
    },
  },
  {
    target: `/v2/team/app/blobs/${digest}`,
    on: { ...pulls('blob-get', 'pull team/app (or push)'), DELETE: ['blob-delete', ['delete team/app'], remove] },
  },
  { target: '/v2/team/app/blobs/uploads/', on: { POST: ['upload-start', pushes, push] } },
  { target: '/v2/team/app/blobs/uploads', on: { POST: ['upload-start', pushes, push] } },
  { target: `/v2/team/app/blobs/uploads/?digest=${digest}`, on: { POST: ['upload-start', pushes, push] } },
  { target: '/v2/team/app/blobs/uploads/?digest-algorithm=sha512', on: { POST: ['upload-start', pushes, push] } },
  // The source of a mount is judged apart (gate/admit.ts), so it is not among the needs; a challenge names it.
  {
    target: `/v2/team/app/blobs/uploads/?mount=${digest}&from=other/app`,
    on: { POST: ['upload-start', pushes, `${push} repository:other/app:pull`] },
  },
  {
    target: `/v2/team/app/blobs/uploads/?mount=${digest}&from=team/app`,
    on: { POST: ['upload-start', pushes, push] },
  },
  {
    target: `/v2/team/app/blobs/uploads/${id}`,
    on: {
      GET: ['upload-status', pushes, push],
      HEAD: ['upload-status', pushes, push],
      PATCH: ['upload-chunk', pushes, push],
      PUT: ['upload-finish', pushes, push],
      // Not `delete`, which distribution asks for: cancelling is part of pushing.
      DELETE: ['upload-cancel', pushes, push],
    },
  },
  {
    target: `/v2/team/app/referrers/${digest}?artifactType=application%2Fspdx`,
    on: pulls('referrers', 'pull team/app'),
  },
];

describe('every route of the distribution API', () => {
  const answered = table.flatMap(({ target, on }) =>
    methods.flatMap((method) => {
      const expected = on[method];
      return expected === undefined ? [] : [[method, target, expected] as const];
    }),
  );
  test.each(answered)(
    '%s %s is read, judged and challenged as its one route',
    (method, target, [kind, needs, scope]) => {
      const route = routeOf(method, target);
      expect(route.kind).toBe(kind);
      expect(needsOf(route)).toEqual(needs);
      expect(formatScopes(challengeAccess(route))).toBe(scope);
    },
  );

  const refused = table.flatMap(({ target, on }) =>
    methods.filter((method) => on[method] === undefined).map((method) => [method, target] as const),
  );
  test.each(refused)('%s %s is refused', (method, target) => {
    expect(reasonOf(method, target)).toBe('method_not_allowed');
  });

  test('a refused method comes with those that are not', () => {
    for (const { target, on } of table) {
      const parsed = parseRoute('OPTIONS', target);
      expect(parsed).toEqual({
        problem: { reason: 'method_not_allowed', allowed: methods.filter((each) => on[each]) },
      });
    }
  });

  test.each(['OPTIONS', 'TRACE', 'CONNECT', 'get', 'PROPFIND', 'M-SEARCH', ''])(
    'the method "%s" has no route anywhere',
    (method) => {
      for (const { target } of table) expect(reasonOf(method, target)).toBe('method_not_allowed');
    },
  );
});

describe('a name is read from the right', () => {
  const cases: readonly (readonly [
    target: string,
    method: Method,
    kind: string,
    repository: string,
    reference: string,
  ])[] = [
    ['/v2/a/tags/list/manifests/x', 'GET', 'manifest-get', 'a/tags/list', 'x'],
    ['/v2/a/manifests/b/manifests/c', 'GET', 'manifest-get', 'a/manifests/b', 'c'],
    ['/v2/a/manifests/tags/list', 'GET', 'tags', 'a/manifests', ''],
    ['/v2/a/tags/list/tags/list', 'GET', 'tags', 'a/tags/list', ''],
    ['/v2/a/blobs/uploads/manifests/list', 'GET', 'manifest-get', 'a/blobs/uploads', 'list'],
    [`/v2/a/blobs/uploads/blobs/uploads/${id}`, 'PATCH', 'upload-chunk', 'a/blobs/uploads', ''],
    ['/v2/manifests/manifests/manifests', 'GET', 'manifest-get', 'manifests', 'manifests'],
    ['/v2/blobs/uploads/blobs/uploads/', 'POST', 'upload-start', 'blobs/uploads', ''],
    ['/v2/v2/app/tags/list', 'GET', 'tags', 'v2/app', ''],
  ];
  test.each(cases)('%s', (target, method, kind, repository, reference) => {
    const route = routeOf(method, target);
    expect(route).toMatchObject({ kind, repository });
    if (reference !== '') expect(route).toMatchObject({ reference: { tag: reference } });
  });

  test.each([
    ['/v2/manifests/x', 'a name is missing'],
    ['/v2/tags/list', 'a name is missing'],
    [`/v2/blobs/${digest}`, 'a name is missing'],
    ['/v2/blobs/uploads/', 'a name is missing'],
    ['/v2/app', 'a tail is missing'],
    ['/v2/blobs/uploads/x', 'a name is missing'],
    [`/v2/referrers/${digest}`, 'a name is missing'],
    ['/v2/_catalog/x', 'the catalog has no parts'],
    ['/v2/team/_catalog', 'no repository has a catalog'],
    ['/v2/_oci/ext/discover', 'extensions are not served'],
    ['/v2/team/app/_oci/ext/discover', 'extensions are not served'],
    ['/v2/_zot/ext/search', 'extensions of a backend are never reached'],
    ['/v2/app/signatures/x', 'signatures are not served'],
  ])('%s is no route: %s', (target) => {
    for (const method of methods) expect(reasonOf(method, target)).toBe('route_unknown');
  });
});

describe('a target that two parsers could read differently is malformed', () => {
  const cases: readonly string[] = [
    '',
    '*',
    '/',
    '/V2/',
    '/v2x/',
    '/v22/app/tags/list',
    '//v2/app/tags/list',
    '/v2//app/tags/list',
    '/v2/app//tags/list',
    '/v2/app/tags/list/',
    '/v2/_catalog/',
    `/v2/app/blobs/${digest}/`,
    '/v2/app/manifests/uploads/',
    '/v2/app/blobs/uploads//',
    '/v2/./app/tags/list',
    '/v2/../app/tags/list',
    '/v2/public/../secret/tags/list',
    '/v2/public/%2e%2e/secret/tags/list',
    '/v2/secret%2fapp/tags/list',
    '/v2/secret%2Fapp/tags/list',
    '/v2/%73ecret/tags/list',
    '/v2/%5fcatalog',
    '/%76%32/app/tags/list',
    '/v2/app%00/tags/list',
    '/v2/app/manifests/%31',
    '/v2/app/manifests/a%3Bb',
    '/v2/app\\secret/tags/list',
    '/v2/app;x=1/tags/list',
    '/v2/app#/tags/list',
    '/v2/app/tags/list#/../../secret',
    '/v2/app/tags/list%20',
    '/v2/app/tags/list ',
    '/v2/app/tags/list\t',
    '/v2/caf\u00e9/tags/list',
    '/v2/app%3A5000/tags/list',
    'http://registry.example.com/v2/app/tags/list',
    'v2/app/tags/list',
    '/prefix/v2/app/tags/list',
    `/v2/${'a'.repeat(8200)}/tags/list`,
  ];
  test.each(cases)('%s', (target) => {
    for (const method of methods) expect(reasonOf(method, target)).toBe('target_malformed');
  });

  test('the one escape accepted is the colon of a digest in the last segment, in either case', () => {
    for (const colon of ['%3A', '%3a']) {
      expect(routeOf('GET', `/v2/app/blobs/sha256${colon}${hex}`)).toEqual(routeOf('GET', `/v2/app/blobs/${digest}`));
      expect(routeOf('GET', `/v2/app/manifests/sha256${colon}${hex}`)).toEqual(
        routeOf('GET', `/v2/app/manifests/${digest}`),
      );
    }
  });
});

describe('a bad part of a known route is named', () => {
  const cases: readonly (readonly [method: Method, target: string, reason: string])[] = [
    ['GET', '/v2/Team/app/tags/list', 'name_invalid'],
    ['GET', '/v2/Team/app/manifests/1.0', 'name_invalid'],
    ['GET', `/v2/Team/app/blobs/${digest}`, 'name_invalid'],
    ['GET', `/v2/Team/app/referrers/${digest}`, 'name_invalid'],
    ['POST', '/v2/Team/app/blobs/uploads/', 'name_invalid'],
    ['PATCH', `/v2/Team/app/blobs/uploads/${id}`, 'name_invalid'],
    ['PUT', '/v2/a/manifests/1.0?%zz', 'query_malformed'],
    ['GET', `/v2/a/referrers/${digest}?artifactType=${'a'.repeat(257)}`, 'query_malformed'],
    ['GET', `/v2/a/referrers/${digest}?last=${'a'.repeat(513)}`, 'page_invalid'],
    ['GET', '/v2/host:5000/app/tags/list', 'name_invalid'],
    ['GET', '/v2/a-/tags/list', 'name_invalid'],
    ['PUT', `/v2/${'a'.repeat(256)}/manifests/x`, 'name_invalid'],
    ['PUT', '/v2/a/manifests/-x', 'reference_invalid'],
    ['PUT', `/v2/a/manifests/${'x'.repeat(129)}`, 'reference_invalid'],
    ['GET', '/v2/a/manifests/.INVALID_MANIFEST_NAME', 'manifest_unknown'],
    ['HEAD', '/v2/a/manifests/-x', 'manifest_unknown'],
    ['DELETE', `/v2/a/manifests/${'x'.repeat(129)}`, 'manifest_unknown'],
    ['GET', '/v2/a/manifests/sha256:abc', 'digest_invalid'],
    ['GET', `/v2/a/manifests/md5:${hex}`, 'digest_invalid'],
    ['GET', '/v2/a/blobs/latest', 'digest_invalid'],
    ['DELETE', `/v2/a/blobs/${digest.toUpperCase()}`, 'digest_invalid'],
    ['GET', '/v2/a/referrers/latest', 'digest_invalid'],
    ['POST', '/v2/a/blobs/uploads/?digest-algorithm=md5', 'digest_invalid'],
    ['PATCH', `/v2/a/blobs/uploads/${'x'.repeat(129)}`, 'upload_unknown'],
    ['PATCH', '/v2/a/blobs/uploads/a:b', 'upload_unknown'],
    ['PUT', `/v2/a/blobs/uploads/${id}?digest=x`, 'digest_invalid'],
    ['PUT', '/v2/a/manifests/1.0?tag=2.0', 'reference_invalid'],
    ['PUT', `/v2/a/manifests/${digest}?tag=-bad`, 'reference_invalid'],
    ['PUT', `/v2/a/manifests/${digest}?tag=`, 'reference_invalid'],
    [
      'PUT',
      `/v2/a/manifests/${digest}?${Array.from({ length: 47 }, (_, n) => `tag=t${n}`).join('&')}`,
      'reference_invalid',
    ],
    ['GET', '/v2/_catalog?n=00', 'page_invalid'],
    ['GET', '/v2/_catalog?_portcullis=', 'page_invalid'],
    ['GET', '/v2/_catalog?_portcullis=a%2Fb', 'page_invalid'],
    ['GET', '/v2/_catalog?_portcullis=x&last=a', 'page_invalid'],
    ['GET', '/v2/_catalog?_portcullis=x&_portcullis=y', 'parameter_repeated'],
    ['GET', '/v2/_catalog?n=-1', 'page_invalid'],
    ['GET', '/v2/_catalog?n=1e3', 'page_invalid'],
    ['GET', '/v2/a/tags/list?n=1&n=2', 'parameter_repeated'],
    ['GET', '/v2/a/tags/list?n=1;last=x', 'query_malformed'],
    ['GET', '/v2/a/tags/list?last=%zz', 'query_malformed'],
    ['GET', '/v2/a/tags/list?last=%00', 'query_malformed'],
    ...[' ', '\t', '\x7f', '\x80', '\u20ac'].map(
      (text) => ['GET', `/v2/a/referrers/${digest}?artifactType=a${text}b`, 'query_malformed'] as const,
    ),
    ['POST', `/v2/a/blobs/uploads/?mount=${digest}&from=b&from=c`, 'parameter_repeated'],
    ['POST', `/v2/a/blobs/uploads/?mount=${digest}&from=b&%66rom=c`, 'parameter_repeated'],
    ['PUT', `/v2/a/blobs/uploads/${id}?digest=${digest}&digest=${digest}`, 'parameter_repeated'],
    ['PATCH', `/v2/a/blobs/uploads/${id}?_state=a&_state=b`, 'parameter_repeated'],
  ];
  test.each(cases)('%s %s: %s', (method, target, reason) => {
    expect(reasonOf(method, target)).toBe(reason);
  });
});

describe('what leaves for the registry is rebuilt from the parsed pieces', () => {
  const cases: readonly (readonly [promise: string, method: Method, target: string, upstream: string])[] = [
    ['the ping has one spelling', 'GET', '/v2', '/v2/'],
    ['a page of nothing stays one', 'GET', '/v2/a/tags/list?n=0', '/v2/a/tags/list?n=0'],
    ['a place in a list of ours stays here', 'GET', '/v2/_catalog?_portcullis=x', '/v2/_catalog'],
    ['an upload without its slash gets one', 'POST', '/v2/a/blobs/uploads', '/v2/a/blobs/uploads/'],
    ['an escaped colon becomes plain', 'GET', `/v2/a/blobs/sha256%3A${hex}`, `/v2/a/blobs/${digest}`],
    ['unknown parameters are left behind', 'GET', '/v2/a/tags/list?ns=docker.io&x=1&n=5', '/v2/a/tags/list?n=5'],
    ['a page may be empty', 'GET', '/v2/a/tags/list?n=0', '/v2/a/tags/list?n=0'],
    ['a page is never larger than a thousand', 'GET', '/v2/a/tags/list?n=999999999', '/v2/a/tags/list?n=1000'],
    ['a page may be asked for in any size', 'GET', '/v2/a/tags/list?n=2147483648', '/v2/a/tags/list?n=1000'],
    ['nor beyond what a number can hold', 'GET', `/v2/a/tags/list?n=${'9'.repeat(400)}`, '/v2/a/tags/list?n=1000'],
    ['an empty size is none', 'GET', '/v2/_catalog?n=&last=', '/v2/_catalog'],
    ['a place in a list is any text', 'GET', '/v2/_catalog?last=cr/', '/v2/_catalog?last=cr%2F'],
    ['a place in a list is any text', 'GET', '/v2/_catalog?last=~', '/v2/_catalog?last=~'],
    ['a place in a list is any text', 'GET', '/v2/a/tags/list?last=../%26n=5', '/v2/a/tags/list?last=..%2F%26n%3D5'],
    ...['digest=', 'digest=x', 'mount=', 'mount=x&from=b', 'mount=&from=', 'mount=x&from=b&digest=sha256:y'].map(
      (query): [string, Method, string, string] => [
        'what cannot be used makes an ordinary upload',
        'POST',
        `/v2/a/blobs/uploads/?${query}`,
        '/v2/a/blobs/uploads/',
      ],
    ),
    ['an empty algorithm is none', 'POST', '/v2/a/blobs/uploads/?digest-algorithm=', '/v2/a/blobs/uploads/'],
    [
      'a plus is a space, as Go reads it',
      'GET',
      `/v2/a/referrers/${digest}?artifactType=a+b`,
      `/v2/a/referrers/${digest}?artifactType=a%20b`,
    ],
    [
      'an upload keeps what it announces',
      'POST',
      `/v2/a/blobs/uploads/?digest=${digest}`,
      `/v2/a/blobs/uploads/?digest=sha256%3A${hex}`,
    ],
    [
      'a mount keeps source and digest',
      'POST',
      `/v2/a/blobs/uploads/?mount=${digest}&from=b/c`,
      `/v2/a/blobs/uploads/?mount=sha256%3A${hex}&from=b%2Fc`,
    ],
    [
      'a mount does not tell where its source is',
      'POST',
      `/v2/a/blobs/uploads/?mount=${digest}&from=b/c&origin=registry.test`,
      `/v2/a/blobs/uploads/?mount=sha256%3A${hex}&from=b%2Fc`,
    ],
    [
      'a mount with escaped parameter names is the same mount',
      'POST',
      `/v2/a/blobs/uploads/?%6dount=${digest}&fr%6fm=b`,
      `/v2/a/blobs/uploads/?mount=sha256%3A${hex}&from=b`,
    ],
    [
      'a mount without a source is an ordinary upload (zot mounts from anywhere)',
      'POST',
      `/v2/a/blobs/uploads/?mount=${digest}`,
      '/v2/a/blobs/uploads/',
    ],
    [
      'a mount from no valid name is an ordinary upload',
      'POST',
      `/v2/a/blobs/uploads/?mount=${digest}&from=../b`,
      '/v2/a/blobs/uploads/',
    ],
    ['a source without a mount is an ordinary upload', 'POST', '/v2/a/blobs/uploads/?from=b', '/v2/a/blobs/uploads/'],
    [
      'what a client adds to an upload stays here',
      'PATCH',
      `/v2/a/blobs/uploads/${id}?_state=x&session=y&_portcullis=z`,
      `/v2/a/blobs/uploads/${id}`,
    ],
    [
      'and only the digest passes',
      'PUT',
      `/v2/a/blobs/uploads/${id}?digest=${sha512}&_state=x%3d`,
      `/v2/a/blobs/uploads/${id}?digest=${sha512.replace(':', '%3A')}`,
    ],
    [
      'each tag of a push by digest is named once',
      'PUT',
      `/v2/a/manifests/${digest}?tag=x&tag=y&tag=x`,
      `/v2/a/manifests/${digest}?tag=x&tag=y`,
    ],
  ];
  test.each(cases)('%s', (_promise, method, target, upstream) => {
    expect(formatTarget(routeOf(method, target))).toBe(upstream);
  });

  test('the origin of a mount, another registry, is never sent on', () => {
    const route = routeOf('POST', `/v2/a/blobs/uploads/?mount=${digest}&from=b&origin=gcr.io`);
    expect(formatTarget(route)).not.toMatch(/origin|gcr/);
  });

  const word = fc.stringMatching(/^[a-z0-9]{1,4}(?:[._-][a-z0-9]{1,3})?$/);
  const reserved = fc.constantFrom('manifests', 'blobs', 'uploads', 'tags', 'list', 'referrers', 'v2');
  const name = fc.array(fc.oneof(word, reserved), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  const tag = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,12}$/);
  const anyDigest = fc.stringMatching(/^[a-f0-9]{64}$/).map((text) => `sha256:${text}`);
  const state = fc.stringMatching(/^[A-Za-z0-9_=-]{1,30}$/);
  const target = fc.oneof(
    name.map((repository) => ['GET', `/v2/${repository}/tags/list?n=3`] as const),
    fc
      .tuple(fc.constantFrom('GET', 'PUT', 'DELETE'), name, fc.oneof(tag, anyDigest))
      .map(([method, repository, reference]) => [method, `/v2/${repository}/manifests/${reference}`] as const),
    fc
      .tuple(name, anyDigest, tag)
      .map(([repository, named, written]) => ['PUT', `/v2/${repository}/manifests/${named}?tag=${written}`] as const),
    fc.tuple(name, anyDigest).map(([repository, named]) => ['DELETE', `/v2/${repository}/blobs/${named}`] as const),
    fc
      .tuple(name, name, anyDigest)
      .map(
        ([repository, from, named]) =>
          ['POST', `/v2/${repository}/blobs/uploads/?mount=${named}&from=${from}`] as const,
      ),
    fc
      .tuple(fc.constantFrom('PATCH', 'PUT', 'DELETE'), name, state)
      .map(([method, repository, text]) => [method, `/v2/${repository}/blobs/uploads/${id}?_state=${text}`] as const),
    fc
      .tuple(name, anyDigest)
      .map(([repository, named]) => ['GET', `/v2/${repository}/referrers/${named}?artifactType=a%2Fb`] as const),
  );

  test('and reading it again gives the same route', () => {
    fc.assert(
      fc.property(target, ([method, text]) => {
        const route = routeOf(method, text);
        expect(routeOf(method, formatTarget(route))).toEqual(route);
      }),
      { numRuns: 500 },
    );
  });

  test('and holds nothing but plain characters, whatever was sent', () => {
    const piece = fc.oneof(
      name,
      tag,
      fc.constantFrom('..', '%2f', '//', '\\', '#', '?', '&', ';', '=', '%00', '_catalog', ' '),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...methods),
        fc.array(piece, { maxLength: 8 }),
        fc.string({ maxLength: 20 }),
        (method, parts, query) => {
          const parsed = parseRoute(method, `/v2/${parts.join('/')}?${query}`);
          if ('problem' in parsed) return;
          const sent = formatTarget(parsed.route);
          expect(sent).toMatch(/^\/v2\/[A-Za-z0-9._:/-]*[A-Za-z0-9._:/=-]*(\?[A-Za-z0-9._~%&=!'()*-]*)?$/);
          expect(sent.split('?', 1)[0]?.slice('/v2/'.length)).not.toMatch(/\/\/|(^|\/)\.{1,2}(\/|$)|%/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
