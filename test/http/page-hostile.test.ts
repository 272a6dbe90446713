/** Bytes that no browser of a person sends, and addresses that are written in more than one way. */
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { csrfToken } from '../../src/http/web/csrf.ts';
import { type GatewayHere, policy, startGatewayHere, testConfig } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { noteForm, samplePage } from './support/web-samples.ts';
import { type WebStand, standWeb } from './support/web-stand.ts';

const own = `
users: { dana: { password: "${await quickHash('correct horse')}" } }
rules: [{ name: own, subjects: [authenticated], repositories: ["mine/**"], actions: [pull] }]
`;

const notes: string[] = [];
let stand: WebStand;
let dana: Visitor;
let gateway: GatewayHere;
beforeAll(async () => {
  const pages = [samplePage('/ui/'), samplePage('/ui/r/'), samplePage('/ui/me')];
  stand = await standWeb({ policy: own, pages, forms: [noteForm('/ui/note', notes)] });
  gateway = await startGatewayHere({ 'policy.yaml': policy }, (dir, policiesDir) => ({
    ...testConfig('http://127.0.0.1:9')(dir, policiesDir),
    publicUrl: 'https://registry.test',
  }));
});
afterAll(async () => {
  await stand.close();
  await gateway.close();
  expect([stand.errors, gateway.errors]).toEqual([[], []]);
});
beforeEach(async () => {
  stand.now += 3_600_000;
  dana = new Visitor(stand.url);
  await dana.logIn('dana', 'correct horse');
});

/** What comes back for these bytes, until the connection ends. */
function raw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.on('data', (chunk) => void (text += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

describe('an address', () => {
  test('is one page in one spelling', async () => {
    expect((await dana.get('/ui/r/mine/app')).body).toContain('mine/app');
    for (const path of ['/ui/r/..%2f', '/ui/..%2f', '/ui/../ui/', '/ui/./', '/ui//', '/ui/r//mine', '/ui/r/mine//app'])
      expect([path, (await dana.get(path)).status]).toEqual([path, 404]);
    for (const path of [
      '/ui/r/%6dine/app',
      '/ui/me/',
      '/ui/r/a;b',
      '/ui/r/a%00',
      '/ui/r/a\\b',
      '/ui/%75',
      '/ui/ME',
      '/ui/r/.',
      '/ui/r/..',
    ])
      expect([path, (await dana.get(path)).status]).toEqual([path, 404]);
  });

  test('that only looks like one of the page is none of it', async () => {
    for (const target of [
      '//ui/',
      '///ui',
      '/UI/',
      '/uix',
      '/ui%2f',
      '/.//ui/',
      '/x/../ui/',
      '/v2/../ui/',
      '/favicon.ico',
      '/robots.txt',
      'https://registry.test/ui/',
    ]) {
      const reply = await ask(gateway.url, target, { headers: { accept: 'text/html' } });
      expect([target, reply.status < 400 ? 'shown' : 'refused', reply.headers['content-type']]).toEqual([
        ...[target, 'refused', 'application/json'],
      ]);
    }
  });

  test('of the host leads browsers to the page, and nobody else', async () => {
    const at = (method: string, accept?: string) =>
      ask(gateway.url, '/', { method, headers: accept === undefined ? {} : { accept } });
    for (const method of ['GET', 'HEAD']) {
      const sent = await at(method, 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8');
      expect([sent.status, sent.headers.location, sent.headers.vary]).toEqual([303, '/ui/', 'Accept']);
    }
    for (const accept of [undefined, '*/*', 'application/json', 'application/vnd.oci.image.index.v1+json'])
      expect((await at('GET', accept)).status).toBe(404);
    for (const method of ['POST', 'PUT', 'OPTIONS', 'DELETE']) expect((await at(method, 'text/html')).status).toBe(404);
    expect((await ask(gateway.url, '/?x', { headers: { accept: 'text/html' } })).headers.location).toBe('/ui/');
    expect((await ask(gateway.url, '/ui')).headers.location).toMatch(/^\/ui\//);
  });

  test('is nothing where the page is turned off', async () => {
    const off = await startGatewayHere({ 'policy.yaml': policy }, (dir, policiesDir) => ({
      ...testConfig('http://127.0.0.1:9')(dir, policiesDir),
      publicUrl: 'https://registry.test',
      page: { enabled: false, anonymous: 'auto', showPushers: 'authenticated' },
    }));
    for (const target of ['/', '/ui', '/ui/', '/ui/login', '/ui/assets/page.css'])
      expect((await ask(off.url, target, { headers: { accept: 'text/html' } })).status).toBe(404);
    expect((await ask(off.url, '/ui/login', { method: 'POST' })).status).toBe(404);
    await off.close();
  });
});

describe('a method', () => {
  test('that a page does not take is 405 with those it takes', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const own = { cookie: dana.cookie, 'sec-fetch-site': 'same-origin' };
      const refused = await ask(stand.url, '/ui/me', { method, headers: own });
      expect([method, refused.status, refused.headers.allow]).toEqual([method, 405, 'GET, HEAD']);
    }
    const both = await ask(stand.url, '/ui/login', { method: 'PUT' });
    expect([both.status, both.headers.allow]).toEqual([405, 'GET, HEAD, POST']);
  });

  test('HEAD has the headers of GET and no body', async () => {
    for (const path of ['/ui/me', '/ui/none', '/ui/login']) {
      const head = await ask(stand.url, path, { method: 'HEAD', headers: { cookie: dana.cookie } });
      const get = await ask(stand.url, path, { headers: { cookie: dana.cookie } });
      expect([head.status, head.body, head.headers['content-length']]).toEqual([
        ...[get.status, '', get.headers['content-length']],
      ]);
    }
  });
});

describe('a cookie', () => {
  test('given twice, cut, quoted or in other letters is none', async () => {
    const pair = dana.cookie;
    const secret = dana.cookies.get('__Host-portcullis') ?? '';
    const shown = async (cookie: string | readonly string[]): Promise<boolean> =>
      (await ask(stand.url, '/ui/me', { headers: { cookie: typeof cookie === 'string' ? cookie : [...cookie] } }))
        .status === 200;
    expect(await shown(pair)).toBe(true);
    expect(await shown(`a=b; ${pair};c`)).toBe(true);
    expect(await shown(`a=b;${pair}`)).toBe(true);
    for (const cookie of [
      `${pair}; ${pair}`,
      `${pair}; __Host-portcullis=x`,
      [pair, pair],
      `__host-portcullis=${secret}`,
      `portcullis=${secret}`,
      `__Host-portcullis="${secret}"`,
      `__Host-portcullis=${secret.slice(0, -1)}`,
      `__Host-portcullis=${secret}A`,
      `__Host-portcullis=${secret.slice(0, -1)}%41`,
      `__Host-portcullis= ${secret}`,
      `__Host-portcullis-login=${secret}`,
      '__Host-portcullis=',
      '=',
      ';;;',
    ])
      expect([cookie, await shown(cookie)]).toEqual([cookie, false]);
  });

  test('of 60 kB is read past, and one that is larger is refused before anybody reads it', async () => {
    const long = `x=${'y'.repeat(60_000)}; ${dana.cookie}`;
    expect((await ask(gateway.url, '/ui/login', { headers: { cookie: long } })).status).toBe(200);
    const reply = await raw(gateway.url, `GET /ui/ HTTP/1.1\r\nHost: x\r\nCookie: a=${'y'.repeat(65_536)}\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 431 /);
    const many = Array.from({ length: 20_000 }, () => 'a=').join(';');
    expect((await ask(gateway.url, '/ui/login', { headers: { cookie: many } })).status).toBe(200);
  });

  test('of a guess is looked up and nobody', async () => {
    for (let guess = 0; guess < 5; guess++) {
      const cookie = `__Host-portcullis=${String(guess).repeat(43)}`;
      const away = await ask(stand.url, '/ui/me', { headers: { cookie } });
      expect([away.status, away.headers['set-cookie']?.[0]]).toEqual([
        303,
        '__Host-portcullis=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax',
      ]);
    }
  });

  test('is the only thing that tells who somebody is: no Authorization does', async () => {
    const basic = `Basic ${Buffer.from('dana:correct horse').toString('base64')}`;
    for (const authorization of [basic, `Bearer ${dana.cookies.get('__Host-portcullis')}`])
      expect((await ask(stand.url, '/ui/me', { headers: { authorization } })).status).toBe(303);
  });
});

describe('a query', () => {
  test('that is malformed is text like any other', async () => {
    for (const query of [
      '%',
      '%zz',
      '%00',
      '&&&',
      '=',
      'q=%ff%fe',
      'q=a&q=b',
      'q=%e2%80%ae',
      `x=${'y'.repeat(10_000)}`,
    ]) {
      const page = await dana.get(`/ui/me?${query}`);
      expect([query.slice(0, 10), page.status]).toEqual([query.slice(0, 10), 200]);
    }
  });
});

describe('a form', () => {
  const headers = () => ({
    cookie: dana.cookie,
    'sec-fetch-site': 'same-origin',
    'content-type': 'application/x-www-form-urlencoded',
  });
  const csrf = () => csrfToken(dana.cookies.get('__Host-portcullis') ?? '', '/ui/note');

  test('is refused when it is no form, too large, or has a field twice', async () => {
    const post = (body: string, more: Readonly<Record<string, string>> = {}) =>
      ask(stand.url, '/ui/note', { method: 'POST', headers: { ...headers(), ...more }, body });
    const token = `csrf=${csrf()}`;
    expect((await post(`${token}&text=a&text=b`)).status).toBe(400);
    expect((await post(`${token}&${token}&text=a`)).status).toBe(400);
    expect((await post(`${token}&text=a&${Array.from({ length: 64 }, (_, at) => `x${at}=`).join('&')}`)).status).toBe(
      400,
    );
    expect((await post(`${token}&text=${'a'.repeat(16_384)}`)).status).toBe(413);
    expect((await post(`{"csrf":"${csrf()}","text":"a"}`, { 'content-type': 'application/json' })).status).toBe(415);
    expect((await post(`csrf=${csrf()}&text=a`, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(`${token}&text=a`, { 'content-encoding': 'gzip' })).status).toBe(415);
    expect(
      (await post(`${token}&text=a`, { 'content-type': 'application/x-www-form-urlencoded; charset=utf-7' })).status,
    ).toBe(415);
    expect((await post('%&%zz=%zz&=&')).status).toBe(403);
    expect((await post('')).status).toBe(403);
    expect(notes).toEqual([]);
    const utf8 = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' };
    expect((await post(`${token}&text=%C3%BC`, utf8)).status).toBe(303);
    expect(notes.splice(0)).toEqual(['ü']);
  });

  test('that is announced and too large is refused before it is sent', async () => {
    const { cookie } = headers();
    const reply = await raw(
      stand.url,
      `POST /ui/note HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nSec-Fetch-Site: same-origin\r\n` +
        'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 999999999\r\n\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/s);
  });

  test('that says nothing of its size is refused when it has become too large', async () => {
    const { cookie } = headers();
    const chunk = `1000\r\n${'a'.repeat(0x1000)}\r\n`;
    const reply = await raw(
      stand.url,
      `POST /ui/note HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nSec-Fetch-Site: same-origin\r\n` +
        `Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('that another site sent is not read', async () => {
    const reply = await raw(
      stand.url,
      'POST /ui/note HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-site\r\n' +
        'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('that dribbles is answered after ten seconds, and its connection ends', async () => {
    const { cookie } = headers();
    const reply = await raw(
      stand.url,
      `POST /ui/note HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nSec-Fetch-Site: same-origin\r\n` +
        'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncsrf=',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 408 /);
    expect(notes).toEqual([]);
  });
});
