import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Front, credentials, startFront } from './support/front.ts';

/** A list that is long behind the gateway and short in front of it. */

const rules = `rules:
  - { name: see, subjects: ['user:dana', 'user:tess'], repositories: ['open/**'], actions: [catalog, pull] }
`;
const hidden = Array.from({ length: 120_000 }, (_, index) => `hidden/${String(index).padStart(6, '0')}`);
const names = ['a/hidden', ...hidden, 'open/1', 'open/2', 'zz/hidden'];
const authorization = `Basic ${credentials('dana')}`;

let front: Front;
afterEach(() => front.close());

const ask = (target: string): Promise<Response> => fetch(front.url + target, { headers: { authorization } });

describe('behind more hidden names than one request may look at', () => {
  test('an empty page leads on, naming nothing, until every visible name was seen', async () => {
    front = await startFront({ rules, repositories: names });
    const pages: string[] = [];
    let target: string | undefined = '/v2/_catalog?n=1';
    while (target !== undefined) {
      const reply: Response = await ask(target);
      expect(reply.status).toBe(200);
      pages.push(await reply.text());
      const link = reply.headers.get('link') ?? '';
      expect(link).not.toContain('hidden');
      target = /^<(\/v2\/_catalog\?[A-Za-z0-9_=&%-]+)>; rel="next"$/.exec(link)?.[1];
      if (link !== '') expect(target).toMatch(/&n=1$/);
    }
    expect(pages).toEqual(['[]', '[]', '["open/1"]', '["open/2"]'].map((page) => `{"repositories":${page}}`));
    expect(JSON.stringify(front.records)).not.toContain('hidden');
  });

  test('a place that this gateway never gave is refused', async () => {
    front = await startFront({ rules, repositories: names });
    const reply = await ask(`/v2/_catalog?_portcullis=${'x'.repeat(378)}`);
    expect([reply.status, await reply.text()]).toEqual([400, expect.stringContaining('PAGINATION_NUMBER_INVALID')]);
  });

  test('nor is the place of one reader, or of one list, a place for another', async () => {
    front = await startFront({ rules, repositories: names });
    const link = (await ask('/v2/_catalog?n=1')).headers.get('link') ?? '';
    const place = /_portcullis=[\w-]+/.exec(link)?.[0] ?? '';
    expect((await ask(`/v2/_catalog?${place}`)).status).toBe(200);
    const others = { authorization: `Basic ${credentials('tess')}` };
    expect((await fetch(`${front.url}/v2/_catalog?${place}`, { headers: others })).status).toBe(400);
    expect((await ask(`/v2/open/1/tags/list?${place}`)).status).toBe(400);
  });

  test('a page of nothing is empty and has no link', async () => {
    front = await startFront({ rules, repositories: names });
    const reply = await ask('/v2/_catalog?n=0');
    expect([reply.status, await reply.text(), reply.headers.get('link')]).toEqual([200, '{"repositories":[]}', null]);
  });

  test('nothing more is asked of the registry for a client that has left', async () => {
    const questions: string[] = [];
    let release = (): void => {};
    const isFirstHeld = new Promise<void>((resolve) => (release = resolve));
    front = await startFront({
      rules,
      repositories: names,
      hold: (line) => (questions.push(line) === 1 ? isFirstHeld : Promise.resolve()),
    });
    const asking = request(`${front.url}/v2/_catalog`, { headers: { authorization }, agent: false });
    asking.on('error', () => {});
    asking.end();
    await eventually('the registry was asked', () => questions.length === 1);
    const left = new Promise((resolve) => asking.once('close', resolve));
    asking.destroy();
    await left;
    release();
    await eventually('the request ended', () => front.records.length > 0);
    expect(front.records).toMatchObject([{ action: 'catalog', decision: 'error', reason: 'client_gone', status: 499 }]);
    expect(questions.length).toBeLessThan(50);
  });
});
