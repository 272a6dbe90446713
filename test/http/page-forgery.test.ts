/** Requests that another site may have sent: refused, and nothing is done. */
import type { OutgoingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { csrfToken, isCsrfToken } from '../../src/http/web/csrf.ts';
import { makeWebSecret } from '../../src/identity/web-session.ts';
import { quickHash } from '../support/policies.ts';
import { type Seen, Visitor, ask, fieldOf } from '../support/visitor.ts';
import { noteForm, samplePage } from './support/web-samples.ts';
import { type WebStand, standWeb } from './support/web-stand.ts';

const policy = `
users:
  dana: { password: "${await quickHash('correct horse')}" }
  otto: { password: "${await quickHash('correct horse')}" }
rules: [{ name: own, subjects: [authenticated], repositories: ["mine/**"], actions: [pull] }]
`;
const origin = 'https://registry.test';
const type = { 'content-type': 'application/x-www-form-urlencoded' };

const notes: string[] = [];
let stand: WebStand;
let dana: Visitor;
/** Of dana's session, for the form that writes notes. */
let csrf: string;
beforeAll(async () => {
  const forms = [noteForm('/ui/note', notes), noteForm('/ui/other', notes)];
  stand = await standWeb({ policy, pages: [samplePage('/ui/')], forms });
});
afterAll(() => stand.close());
beforeEach(async () => {
  notes.length = 0;
  stand.now += 3_600_000;
  dana = new Visitor(stand.url);
  await dana.logIn('dana', 'correct horse');
  csrf = tokenOf(dana, '/ui/note');
});

function tokenOf(visitor: Visitor, path: string): string {
  return csrfToken(visitor.cookies.get('__Host-portcullis') ?? '', path);
}

/** A form of dana's browser, with no header but these. */
function send(
  fields: Readonly<Record<string, string>>,
  headers: OutgoingHttpHeaders,
  target = '/ui/note',
): Promise<Seen> {
  const body = new URLSearchParams(fields).toString();
  return ask(stand.url, target, { method: 'POST', headers: { cookie: dana.cookie, ...type, ...headers }, body });
}

describe('a form is taken', () => {
  const ways: Readonly<Record<string, OutgoingHttpHeaders>> = {
    'from a page of ours, as the browser says': { 'sec-fetch-site': 'same-origin' },
    'from our origin, of a browser that says nothing more': { origin },
  };
  for (const [way, headers] of Object.entries(ways))
    test(way, async () => {
      expect((await send({ csrf, text: 'a' }, headers)).headers.location).toBe('/ui/');
      expect(notes).toEqual(['a']);
    });

  test('and what it says is checked as everywhere', async () => {
    const own = { 'sec-fetch-site': 'same-origin' };
    for (const [text, status] of [
      ['x'.repeat(21), 400],
      ['taken', 409],
    ] as const)
      expect((await send({ csrf, text }, own)).status).toBe(status);
    expect(notes).toEqual([]);
  });
});

describe('a form is refused, and nothing done, when it comes', () => {
  const places: Readonly<Record<string, OutgoingHttpHeaders>> = {
    'from another port of this host': { 'sec-fetch-site': 'same-site', origin: 'https://registry.test:8443' },
    'from another port of this host, with our origin': { 'sec-fetch-site': 'same-site', origin },
    'from another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' },
    'from an address bar or a bookmark': { 'sec-fetch-site': 'none' },
    'with the header given twice': { 'Sec-Fetch-Site': 'same-origin, same-origin' },
    'with a header that no browser sends': { 'sec-fetch-site': 'Same-Origin', origin },
    'with an empty header': { 'sec-fetch-site': '', origin },
    'without any of the headers': {},
    'with a referrer only': { referer: `${origin}/ui/` },
    'from a sandboxed frame': { origin: 'null' },
    'from another origin': { origin: 'https://evil.test' },
    'from our host by http': { origin: 'http://registry.test' },
    'from another port': { origin: 'https://registry.test:5050' },
    'from a host that begins like ours': { origin: 'https://registry.test.evil.test' },
    'from an origin in other letters': { origin: 'https://REGISTRY.test' },
    'from two origins': { origin: `${origin}, ${origin}` },
    'from an origin with a path': { origin: `${origin}/` },
  };
  for (const [place, headers] of Object.entries(places))
    test(place, async () => {
      for (const target of ['/ui/note', '/ui/logout', '/ui/login']) {
        const fields = { csrf: tokenOf(dana, target), text: 'a', account: 'otto', password: 'correct horse' };
        const refused = await send(fields, headers, target);
        expect([refused.status, refused.headers['set-cookie']]).toEqual([403, undefined]);
        expect(refused.body).toContain('did not come from a page of this registry, so nothing was done');
        expect(refused.body).toContain('You are logged in as <b>dana</b>');
        expect(stand.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'cross_site', account: 'dana' });
      }
      expect(notes).toEqual([]);
      expect((await dana.get('/ui/')).status).toBe(200);
    });

  const tokens: Readonly<Record<string, () => Promise<string> | string>> = {
    'without a token': () => '',
    'with a token that is none': () => 'x'.repeat(86),
    'with half a token': () => csrf.slice(0, 43),
    'with a token and more': () => `${csrf}AAAA`,
    'with the token of another form': () => tokenOf(dana, '/ui/other'),
    'with the token of somebody else': async () => {
      const otto = new Visitor(stand.url);
      await otto.logIn('otto', 'correct horse');
      return tokenOf(otto, '/ui/note');
    },
    'with the token of the login form': async () =>
      fieldOf((await new Visitor(stand.url).get('/ui/login')).body, 'csrf'),
    'with the token of a session before': async () => {
      const old = csrf;
      await dana.logOut();
      await dana.logIn('dana', 'correct horse');
      return old;
    },
  };
  for (const [what, make] of Object.entries(tokens))
    test(what, async () => {
      const token = await make();
      for (const fields of [{ csrf: token, text: 'a' }, ...(token === '' ? [{ text: 'a' }] : [])]) {
        const refused = await send(fields, { 'sec-fetch-site': 'same-origin' });
        expect(refused.status).toBe(403);
        expect(refused.body).toContain('The form is an old one or of another login, so nothing was done.');
      }
      expect(notes).toEqual([]);
      expect(stand.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'form_token_invalid' });
    });

  test('without a session, or with one that has ended', async () => {
    await stand.sessions.revoke({ account: 'dana' }, stand.now);
    for (const cookie of [dana.cookie, '']) {
      const refused = await send({ csrf, text: 'a' }, { 'sec-fetch-site': 'same-origin', cookie });
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Cookie realm="registry.test"']);
      expect(refused.body).toContain('Your login has ended, so nothing was done.');
    }
    expect(notes).toEqual([]);
  });

  test('by any other method, and a GET changes nothing', async () => {
    const own = { cookie: dana.cookie, 'sec-fetch-site': 'same-origin', ...type };
    const query = new URLSearchParams({ csrf, text: 'a' }).toString();
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'QUERY']) {
      const refused = await ask(stand.url, `/ui/note?${query}`, { method, headers: own });
      expect([method, refused.status, refused.headers.allow]).toEqual([method, 405, 'POST']);
    }
    const out = new URLSearchParams({ csrf: tokenOf(dana, '/ui/logout') }).toString();
    await ask(stand.url, `/ui/logout?${out}`, { headers: own });
    expect(notes).toEqual([]);
    expect((await dana.get('/ui/')).status).toBe(200);
  });
});

describe('the login form', () => {
  test('belongs to the browser that it was given to: nobody logs somebody else in', async () => {
    const attacker = new Visitor(stand.url);
    const csrf = fieldOf((await attacker.get('/ui/login')).body, 'csrf');
    const fields = { csrf, account: 'otto', password: 'correct horse' };
    const victim = new Visitor(stand.url);
    for (const visitor of [victim, dana]) {
      const refused = await visitor.post('/ui/login', fields);
      expect(refused.status).toBe(403);
      expect(refused.body).toContain('The form was an old one, or the browser takes no cookies.');
      expect(visitor.cookies.get('__Host-portcullis') === undefined).toBe(visitor === victim);
    }
    // With the form that came instead it works.
    expect((await victim.logIn('otto', 'correct horse')).status).toBe(303);
  });
});

describe('a token', () => {
  test('is another text each time, good for its cookie and path alone', () => {
    const [one, other] = [makeWebSecret(), makeWebSecret()];
    const tokens = Array.from({ length: 20 }, () => csrfToken(one, '/ui/a'));
    expect(new Set(tokens.map((token) => token.slice(0, 10))).size).toBe(20);
    expect(new Set(tokens.map((token) => token.slice(-10))).size).toBe(20);
    for (const token of tokens) {
      expect(isCsrfToken(one, '/ui/a', token)).toBe(true);
      expect(isCsrfToken(other, '/ui/a', token)).toBe(false);
      expect(isCsrfToken(one, '/ui/b', token)).toBe(false);
      const bytes = Buffer.from(token, 'base64url');
      bytes[40] = (bytes[40] ?? 0) ^ 1;
      expect(isCsrfToken(one, '/ui/a', bytes.toString('base64url'))).toBe(false);
    }
  });
});
