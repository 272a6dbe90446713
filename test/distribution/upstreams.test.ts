import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRepositoryName } from '../../src/distribution/reference.ts';
import {
  type UpstreamNames,
  clientName,
  createUpstreams,
  isPlain,
  remoteName,
  remotePlace,
} from '../../src/distribution/upstreams.ts';

const terms = (name: string, prefix: string, more: Partial<UpstreamNames> = {}): UpstreamNames => ({
  ...{ name, prefix, remotePrefix: '', access: 'read-write', library: false },
  ...more,
});
const main = terms('main', '');
const mirror = terms('mirror', 'mirror', { library: true });
const quay = terms('quay', 'mirror/quay', { remotePrefix: 'acme/team' });
const all = createUpstreams([mirror, main, quay]);
const known = (text: string) => parseRepositoryName(text) ?? expect.fail(`${text} is no name`);

describe('which registry has a repository', () => {
  const rows: readonly (readonly [repository: string, name: string, remote: string])[] = [
    ['app', 'main', 'app'],
    ['shop/app', 'main', 'shop/app'],
    ['mirror', 'main', 'mirror'],
    ['mirrored/app', 'main', 'mirrored/app'],
    ['mirror/grafana/grafana', 'mirror', 'grafana/grafana'],
    ['mirror/quay', 'mirror', 'library/quay'],
    ['mirror/quay/app', 'quay', 'acme/team/app'],
    ['mirror/quay/a/b', 'quay', 'acme/team/a/b'],
  ];
  for (const [repository, name, remote] of rows)
    test(`${repository} is ${remote} of ${name}`, () => {
      const upstream = all.of(repository);
      expect(upstream?.name).toBe(name);
      expect(upstream && remoteName(upstream, repository)).toBe(remote);
    });

  test('without one for everything else, other names are of none', () => {
    expect(createUpstreams([mirror]).of('shop/app')).toBeUndefined();
    expect(createUpstreams([mirror]).of('mirror')).toBeUndefined();
  });

  test('the order in which they are named changes nothing', () => {
    for (const order of [
      [main, mirror, quay],
      [quay, mirror, main],
      [mirror, quay, main],
    ])
      for (const [repository, name] of rows) expect(createUpstreams(order).of(repository)?.name).toBe(name);
  });

  test('a name that would be too long there is none', () => {
    const long = `mirror/quay/${'a'.repeat(240)}`;
    expect(remoteName(quay, known(long))).toBe(`acme/team/${'a'.repeat(240)}`);
    expect(remoteName(terms('far', 'f', { remotePrefix: 'b'.repeat(100) }), `f/${'a'.repeat(200)}`)).toBeUndefined();
  });
});

describe('names of one segment where they are those of a library', () => {
  test('are read as if it were written out', () => {
    expect(all.canonical(known('mirror/alpine'))).toBe('mirror/library/alpine');
    expect(all.canonical(known('mirror/library/alpine'))).toBe('mirror/library/alpine');
    expect(all.canonical(known('mirror/quay/alpine'))).toBe('mirror/quay/alpine');
    expect(all.canonical(known('alpine'))).toBe('alpine');
    expect(createUpstreams([terms('hub', '', { library: true })]).canonical(known('alpine'))).toBe('library/alpine');
  });

  test('have one spelling, also where writing them out leads into another library', () => {
    const nested = createUpstreams([mirror, terms('own', 'mirror/library', { library: true })]);
    for (const name of ['mirror/alpine', 'mirror/library/alpine', 'mirror/library/library/alpine'])
      expect(nested.canonical(known(name))).toBe('mirror/library/library/alpine');
  });

  test('are shown only written out', () => {
    expect(clientName(all, mirror, 'library/alpine')).toBe('mirror/library/alpine');
    expect(clientName(all, mirror, 'alpine')).toBeUndefined();
  });
});

describe('what clients call what a registry has', () => {
  const segment = fc.stringMatching(/^[a-z0-9]{1,3}$/);
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const prefix = fc.oneof(fc.constant(''), path);
  const upstreams = fc
    .uniqueArray(fc.record({ prefix, remotePrefix: prefix, library: fc.boolean() }), {
      selector: (each) => each.prefix,
      minLength: 1,
      maxLength: 4,
    })
    .map((each) => each.map((one, at) => terms(`r${at}`, one.prefix, one)));

  test('leads back to it, from every name that is of one', () => {
    fc.assert(
      fc.property(upstreams, path, (list, text) => {
        const several = createUpstreams(list);
        const name = several.canonical(known(text));
        const upstream = several.of(name);
        if (upstream === undefined) return;
        const remote = remoteName(upstream, name);
        expect(remote && clientName(several, upstream, remote)).toBe(name);
      }),
    );
  });

  test('is no name of another registry, and of none that is reached by another name', () => {
    fc.assert(
      fc.property(upstreams, path, (list, remote) => {
        const several = createUpstreams(list);
        for (const upstream of list) {
          const name = clientName(several, upstream, remote);
          if (name === undefined) continue;
          expect(several.of(name)).toBe(upstream);
          expect(several.canonical(name)).toBe(name);
          expect(remoteName(upstream, name)).toBe(remote);
        }
      }),
    );
  });

  test('a place in a list need not be a name', () => {
    expect(remotePlace(quay, 'mirror/quay/ZZZ~')).toBe('acme/team/ZZZ~');
    expect(remotePlace(quay, 'elsewhere')).toBe('acme/team/elsewhere');
    expect(remotePlace(main, 'shop/app')).toBe('shop/app');
  });
});

test('only one that has everything by its own names is plain', () => {
  expect([main, mirror, quay, terms('all', '', { remotePrefix: 'x' })].map(isPlain)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
