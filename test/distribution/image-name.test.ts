import { describe, expect, test } from 'vitest';
import { parseImageName } from '../../src/distribution/image-name.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('an image is named as docker names it', () => {
  test.each([
    ['integration/app:1.2.3', { repository: 'integration/app', tag: '1.2.3' }],
    ['integration/app', { repository: 'integration/app' }],
    ['app:latest', { repository: 'app', tag: 'latest' }],
    [`integration/app@${digest}`, { repository: 'integration/app', digest }],
    [`integration/app:1.2.3@${digest}`, { repository: 'integration/app', tag: '1.2.3', digest }],
    ['registry.example.com/release/app:v1', { host: 'registry.example.com', repository: 'release/app', tag: 'v1' }],
    ['localhost/app', { host: 'localhost', repository: 'app' }],
    ['localhost:5050/release/app:v1', { host: 'localhost:5050', repository: 'release/app', tag: 'v1' }],
    ['REGISTRY/app', { host: 'REGISTRY', repository: 'app' }],
    ['[::1]:5050/release/app:v1', { host: '[::1]:5050', repository: 'release/app', tag: 'v1' }],
    ['a-b_c/d.e:T_1.2-x', { repository: 'a-b_c/d.e', tag: 'T_1.2-x' }],
  ])('%s', (text, expected) => {
    expect(parseImageName(text)).toEqual({ host: undefined, tag: undefined, digest: undefined, ...expected });
  });

  test('the gateway that was named is a host also where docker would see a folder', () => {
    expect(parseImageName('registry/app:1', 'registry')).toMatchObject({ host: 'registry', repository: 'app' });
    expect(parseImageName('registry/app:1')).toMatchObject({ host: undefined, repository: 'registry/app' });
  });

  test.each([
    ['', 'names no repository'],
    [':1', 'names no repository'],
    ['/app', 'names no repository'],
    ['Integration:1', 'names no repository'],
    ['integration/../app:1', 'names no repository'],
    ['integration//app:1', 'names no repository'],
    ['integration/app:', 'is no tag'],
    ['integration/app:a b', 'is no tag'],
    ['integration/app:1\u001b[2J', 'is no tag'],
    ['integration/app@sha256:12', 'is no digest'],
    [`integration/app@${digest.toUpperCase()}`, 'is no digest'],
    [`integration/app@${digest}@${digest}`, 'more than one @'],
    ['https://registry.example.com/app:1', 'leave out'],
    ['user:secret@registry.example.com/app:1', 'a login does not belong'],
    ['registry.example.com:70000/app:1', 'is no host'],
    ['a.b:/app:1', 'is no host'],
  ])('%j is none: it %s', (text, problem) => {
    expect(parseImageName(text)).toEqual({ problem: expect.stringContaining(problem) as string });
  });
});
