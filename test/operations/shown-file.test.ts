/** Where policy files lie is not for everybody to know: what is shown of them is their names. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isCalled, shownFiles } from '../../src/operations/shown-file.ts';
import { quickHash } from '../support/policies.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from '../http/support/front.ts';

const rules = `rules:
  - { name: see, subjects: ['user:dana'], repositories: ['**'], actions: [inspect, administer] }
  - { name: devs, subjects: ['group:devs'], repositories: ['apps/**'], actions: [pull] }
  - { name: no-tess, effect: deny, subjects: ['user:tess'], repositories: ['apps/**'], actions: [pull] }
`;
const basic = { authorization: `Basic ${credentials('dana')}` };
const tess = { authorization: `Basic ${credentials('tess')}` };

test('a file in the working directory keeps its way from there', () => {
  const files = shownFiles(['policies/a.yaml', '/etc/p/a.yaml']);
  expect(['policies/a.yaml', '/etc/p/a.yaml', '/elsewhere/b.yaml'].map(files.name)).toEqual([
    ...['policies/a.yaml', 'a.yaml', 'b.yaml'],
  ]);
  expect(files.words('rule "x" (/etc/p/a.yaml:3), policies/a.yaml')).toBe('rule "x" (a.yaml:3), policies/a.yaml');
});

describe('files of the same name', () => {
  test.each([
    [
      'in two folders',
      ['/etc/one/a.yaml', '/etc/two/a.yaml', '/etc/two/b.yaml'],
      ['one/a.yaml', 'two/a.yaml', 'b.yaml'],
    ],
    ['in folders of the same name', ['/one/p/a.yaml', '/srv/two/p/a.yaml'], ['one/p/a.yaml', 'two/p/a.yaml']],
    ['one folder above the other', ['/p/a.yaml', '/p/q/a.yaml', '/a.yaml'], ['p/a.yaml', 'q/a.yaml', 'a.yaml']],
  ])('%s are shown with as much of their way as tells them apart', (_where, files, names) => {
    const shown = shownFiles(files);
    expect(files.map(shown.name)).toEqual(names);
    expect(shown.words(files.map((file) => `(${file}:1)`).join())).toBe(names.map((name) => `(${name}:1)`).join());
    for (const [at, file] of files.entries()) expect(isCalled(file, names[at] ?? '')).toBe(true);
  });
});

test('files of the same name are told apart on the page, where each can be read, and nowhere by all of their way', async () => {
  const dir = await makeTempDir('two-policies');
  const folders = ['one', 'two'].map((name) => join(dir, name, 'policies'));
  const [first = '', second = ''] = folders;
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const hash = await quickHash(passwordOf('dana'));
  await writeFile(join(first, 'areas.yaml'), `users: { dana: { password: '${hash}' } }\n`);
  await writeFile(join(second, 'areas.yaml'), rules.replace(/.*group:.*\n.*tess.*\n/, ''));
  const both = await startFront({ rules, env: { PORTCULLIS_POLICIES: folders.join() } });
  const visitor = new Visitor(both.url);
  await visitor.logIn('dana', passwordOf('dana'));
  const bodies: string[] = [];
  const look = async (path: string): Promise<string> => {
    bodies.push((await visitor.get(`/ui/${path}`)).body);
    const { body } = await ask(both.url, `/api/v1/${path}`, { headers: basic });
    bodies.push(body);
    return body;
  };
  const shownBy = async (query: string): Promise<unknown> => JSON.parse(await look(`policy${query}`));
  const named = { files: [{ file: 'one/policies/areas.yaml' }, { file: 'two/policies/areas.yaml' }] };
  expect(await shownBy('?file=one/policies/areas.yaml')).toMatchObject({
    ...named,
    shown: { file: 'one/policies/areas.yaml', lines: [expect.stringContaining('dana')] },
  });
  expect(await shownBy('?file=two/policies/areas.yaml')).toMatchObject({
    ...named,
    shown: { file: 'two/policies/areas.yaml', lines: ['rules:', expect.stringContaining('name: see')] },
  });
  await look('access?repository=apps/a&as=user:dana&action=inspect');
  await writeFile(join(second, 'areas.yaml'), 'rules: 7\n');
  await both.gateway.reload();
  expect(await shownBy('')).toMatchObject({ problems: [{ file: 'two/policies/areas.yaml' }], shown: { total: 1 } });
  await look('activity');
  expect(bodies.filter((body) => body.includes('areas.yaml')).length).toBe(bodies.length);
  for (const body of bodies) expect(body).not.toContain(dir);
  await both.close();
  await removeTempDir(dir);
});

describe('on pages', () => {
  let front: Front;
  let dana: Visitor;
  beforeEach(async () => {
    front = await startFront({ rules });
    dana = new Visitor(front.url);
    await dana.logIn('dana', passwordOf('dana'));
  });
  afterEach(async () => {
    await front.close();
    expect(front.errors).toEqual([]);
  });

  describe('policy files outside the working directory', () => {
    test('are shown by name, on pages and by the API, also in sentences, and found by it', async () => {
      await ask(front.url, '/v2/apps/a/manifests/v1', { headers: tess });
      await front.setPolicy(`${rules}  - { name: broken, subjects: ['nobody:x'] }\n`);
      const seen = [];
      const question = 'repository=apps/a&as=user:tess&action=pull';
      for (const path of [
        'policy',
        'policy?file=people.yaml',
        'activity',
        `access?${question}`,
        `explain?${question}`,
      ]) {
        const { status, body } = await ask(front.url, `/api/v1/${path}`, { headers: basic });
        expect(status, body).toBe(200);
        seen.push(body);
        if (path.startsWith('explain')) continue;
        const page = await dana.get(`/ui/${path}`);
        expect(page.status).toBe(200);
        seen.push(page.body);
      }
      for (const body of seen) {
        expect(body).toContain('.yaml');
        expect(body).not.toContain(front.policiesDir);
      }
      expect(seen.at(-1)).toContain('"place":{"file":"rules.yaml","line":4}');
      expect(seen[2]).toContain('"shown":{"file":"people.yaml"');
    });
  });

  describe('a question about access that has no answer', () => {
    test.each([
      ['repository=Apps//a&tag=v1&as=user:tess&action=pull', 400, ['Apps//a', 'v1', 'user:tess', 'pull']],
      ['repository=apps/a&as=nobody:tess&action=push', 400, ['apps/a', 'nobody:tess', 'push']],
      ['repository=apps/a&action=fly', 400, ['apps/a', 'fly']],
    ])('%s stays in the form, to be put right', async (query, status, kept) => {
      const page = await dana.get(`/ui/access?${query}`);
      expect(page.status).toBe(status);
      expect(page.body).toContain('action="/ui/access"');
      expect(page.body).toContain('role="alert"');
      for (const text of kept) expect(page.body).toContain(`value="${text}"`);
      if (kept.length > 2) expect(page.body).toMatch(/<option value="(?:pull|push)" selected/);
    });

    test('stays for somebody who may not ask it, too', async () => {
      const other = new Visitor(front.url);
      await other.logIn('tess', passwordOf('tess'));
      const page = await other.get('/ui/access?repository=apps/a&as=user:dana&action=pull');
      expect(page.status).toBe(403);
      for (const text of ['apps/a', 'user:dana']) expect(page.body).toContain(`value="${text}"`);
      expect(page.body).toContain('about yourself');
    });
  });
});
