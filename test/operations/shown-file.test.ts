/** Where policy files lie is not for everybody to know: what is shown of them is their names. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { shownFile, withShownFiles } from '../../src/operations/shown-file.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from '../http/support/front.ts';

const rules = `rules:
  - { name: see, subjects: ['user:dana'], repositories: ['**'], actions: [inspect, administer] }
  - { name: devs, subjects: ['group:devs'], repositories: ['apps/**'], actions: [pull] }
  - { name: no-tess, effect: deny, subjects: ['user:tess'], repositories: ['apps/**'], actions: [pull] }
`;
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

const basic = { authorization: `Basic ${credentials('dana')}` };
const tess = { authorization: `Basic ${credentials('tess')}` };

describe('policy files outside the working directory', () => {
  test('are shown by name, on pages and by the API, also in sentences, and found by it', async () => {
    await ask(front.url, '/v2/apps/a/manifests/v1', { headers: tess });
    await front.setPolicy(`${rules}  - { name: broken, subjects: ['nobody:x'] }\n`);
    const seen = [];
    const question = 'repository=apps/a&as=user:tess&action=pull';
    for (const path of ['policy', 'policy?file=people.yaml', 'activity', `access?${question}`, `explain?${question}`]) {
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

test('a file in the working directory keeps its way from there', () => {
  expect([shownFile('policies/a.yaml'), shownFile('/etc/portcullis/a.yaml')]).toEqual(['policies/a.yaml', 'a.yaml']);
  expect(withShownFiles('rule "x" (/etc/p/a.yaml:3), b/c.yaml', ['/etc/p/a.yaml', 'b/c.yaml'])).toBe(
    'rule "x" (a.yaml:3), b/c.yaml',
  );
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
