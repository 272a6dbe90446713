/** The page in front of a real gateway: who comes in, and what is answered instead. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayHere, policy, startGatewayHere, testConfig } from '../support/gateway.ts';
import { Visitor, ask } from '../support/visitor.ts';

let gateway: GatewayHere;
beforeAll(async () => {
  gateway = await startGatewayHere({ 'policy.yaml': policy }, (dir, policiesDir) => ({
    ...testConfig('http://127.0.0.1:9')(dir, policiesDir),
    publicUrl: 'https://registry.test',
  }));
});
afterAll(() => gateway.close());

describe('somebody who logs in', () => {
  test('sees the page they asked for, by name, until they log out', async () => {
    const dana = new Visitor(gateway.url);
    const sentAway = await dana.get('/ui/');
    expect([sentAway.status, sentAway.headers.location]).toEqual([303, '/ui/login?next=%2Fui%2F']);
    const login = await dana.logIn('dana', 'correct horse');
    expect([login.status, login.headers.location]).toEqual([303, '/ui/']);
    const page = await dana.get('/ui/');
    expect(page.status).toBe(200);
    expect(page.body).toContain('dana');
    const out = await dana.logOut();
    expect([out.status, out.headers.location]).toEqual([303, '/ui/logout']);
    expect((await dana.get('/ui/')).status).toBe(303);
  });

  test('is told what was wrong and how many tries are left, and keeps the name', async () => {
    const guess = new Visitor(gateway.url);
    const wrong = await guess.logIn('dana', 'battery staple');
    expect(wrong.status).toBe(401);
    expect(wrong.body).toMatch(/role="alert"[^>]*>The user name or the password is wrong. 4 more tries before/);
    expect(wrong.body).toContain('value="dana"');
  });
});

describe('the first page of the host', () => {
  test('sends browsers to the page, and is nothing to anybody else', async () => {
    const browser = await ask(gateway.url, '/', { headers: { accept: 'text/html,*/*' } });
    expect([browser.status, browser.headers.location]).toEqual([303, '/ui/']);
    expect((await ask(gateway.url, '/', { headers: { accept: '*/*' } })).status).toBe(404);
    expect((await ask(gateway.url, '/', { method: 'POST', headers: { accept: 'text/html' } })).status).toBe(404);
  });
});
