import { describe, expect, test } from 'vitest';
import { type NextPage, nextPage } from '../../src/distribution/link.ts';

const path = '/v2/team/app/tags/list';
const hosts = ['registry:5000', 'public.test'];
const next = (header: string | undefined): NextPage => nextPage(header, path, hosts);

describe('a list goes on where its registry says', () => {
  test.each([
    [`<${path}?n=2&last=v2>; rel="next"`, `${path}?n=2&last=v2`],
    [`<${path}?page=%2fAb%3d%3D&n=2>; rel=next`, `${path}?page=%2fAb%3d%3D&n=2`],
    [`<http://registry:5000${path}?next=x>; rel="next"`, `${path}?next=x`],
    [`<https://registry:5000${path}?next=x>; rel="next"`, `${path}?next=x`],
    [`<https://public.test${path}?next=x>; rel="next"`, `${path}?next=x`],
    [`<?next=x>; rel="next"`, `${path}?next=x`],
    [`<${path}?next=x>`, `${path}?next=x`],
    [`<${path}?next=x>; REL="last Next"; title="a, b; rel=prev"`, `${path}?next=x`],
    [`<${path}?a>; rel="prev", <${path}?b>; rel="next"`, `${path}?b`],
    [`<${path}?a,b;c>; rel="next"`, `${path}?a,b;c`],
    [`<${path}?b>; rel="next", <${path}?b>; rel="next"`, `${path}?b`],
  ])('%s', (header, target) => {
    expect(next(header)).toEqual({ kind: 'next', target });
  });

  test.each([undefined, '', `<${path}?a>; rel="prev"`, `<https://elsewhere.test/>; rel="help"`])(
    'and has ended without such a word: %s',
    (header) => {
      expect(next(header)).toEqual({ kind: 'end' });
    },
  );

  test.each([
    `<http://elsewhere.test${path}?a>; rel="next"`,
    `<//registry:5000${path}?a>; rel="next"`,
    `<http://registry:5000@evil.test${path}>; rel="next"`,
    `<http://registry:5001${path}?a>; rel="next"`,
    '</v2/team/other/tags/list?a>; rel="next"',
    '</v2/team/app/tags/list/../../../other/tags/list?a>; rel="next"',
    '</v2/team%2Fapp/tags/list?a>; rel="next"',
    '</v2/_catalog?a>; rel="next"',
    `<${path}2?a>; rel="next"`,
    `<${path}?a#b>; rel="next"`,
    `<${path}?a b>; rel="next"`,
    `<${path}?\u00e4>; rel="next"`,
    `<${path}?${'a'.repeat(8192)}>; rel="next"`,
    `<${path}?a>; rel="next", <${path}?b>; rel="next"`,
    `${path}?a; rel="next"`,
    `<${path}?a; rel="next"`,
    `<${path}?a>; rel="next`,
    `<${path}?a> rel="next"`,
    '<>; rel="next"',
  ])('and is not known to have ended where that cannot be followed: %s', (header) => {
    expect(next(header)).toEqual({ kind: 'unusable' });
  });
});
