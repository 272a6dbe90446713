/** Access and Policy of a running gateway: what was refused is there, what a reload changed is told, and files hold no hashes. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { AccessAnswer } from '../../src/operations/access-answers.ts';
import type { PolicyAnswer } from '../../src/operations/policy-files.ts';
import { type GatewayProcess, basic, policy, startGatewayProcess } from '../support/gateway.ts';

let gateway: GatewayProcess;
let adminToken: string;
const waiting = { timeout: 30_000, interval: 50 };

beforeAll(async () => {
  // Nothing here reaches a registry.
  gateway = await startGatewayProcess({ upstream: 'http://127.0.0.1:9', policies: { 'policy.yaml': policy } });
  adminToken = (await readFile(join(dirname(gateway.policiesDir), 'state/admin-token'), 'utf8')).trim();
});
afterAll(() => gateway.stop());

async function asAdmin<Answer>(method: string, path: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const reply = await fetch(`${gateway.adminUrl}/api/v1${path}`, { method, headers });
  const text = await reply.text();
  expect([reply.status, text]).toEqual([200, expect.not.stringContaining('M2VJNCPpSgUmYyHR2e')]);
  return JSON.parse(text) as Answer;
}

const asDana = (path: string): Promise<Response> =>
  fetch(`${gateway.url}${path}`, { headers: { authorization: `Basic ${basic}` } });

test('a refusal is grouped under its repository, and explained by the policy in force', async () => {
  for (const tag of ['v1', 'v2']) expect((await asDana(`/v2/other/app/manifests/${tag}`)).status).toBe(403);
  const seen = await vi.waitFor(async () => {
    const answer = await asAdmin<AccessAnswer>('GET', '/access?repository=other/app&as=user:dana&action=pull');
    expect(answer.refusals[0]?.times).toBe(2);
    return answer;
  }, waiting);
  expect(seen.refusals).toMatchObject([
    { subject: 'user:dana', action: 'pull', target: ':v2 and 1 more', reason: 'no rule allows it' },
  ]);
  expect([seen.others, seen.rows, seen.explained?.allowed]).toEqual([1, [], false]);
  expect(seen.allowing?.lines).toContain('name: dana-may-pull-other-app');
});

test('somebody may ask about themselves, and about nobody else', async () => {
  const own = await asDana('/api/v1/explain?repository=mine/app&action=push');
  expect(await own.json()).toMatchObject({ allowed: true, rule: { name: 'own-area', place: null } });
  expect((await asDana('/api/v1/explain?repository=mine/app&action=push&as=anonymous')).status).toBe(403);
  expect((await asDana('/api/v1/policy')).status).toBe(403);
});

test('a reload tells what it changed, worked out in another thread; a refused edit its problems', async () => {
  const file = join(gateway.policiesDir, 'policy.yaml');
  await writeFile(file, policy.replace('"mine/**"', '"mine/**", "more/**"'));
  await asAdmin('POST', '/policy/reload');
  await vi.waitFor(async () => {
    const { by, review } = await asAdmin<PolicyAnswer>('GET', '/policy');
    expect([by, review?.changes?.lines.map(({ sign, text }) => `${sign} ${text.replace(/ \(rule.*/, '')}`)]).toEqual([
      'reload',
      ['+ user:dana may now pull, push, delete more/**'],
    ]);
  }, waiting);
  await writeFile(file, policy.replace('[pull, push, delete]', '[pull, pusch]'));
  const refused = await asAdmin<PolicyAnswer>('POST', '/policy/reload');
  expect(refused.problems[0]?.message).toContain('did you mean "push"?');
  expect(refused.shown).toMatchObject({ isRefused: true });
  expect(refused.shown?.lines.find((line) => line.includes('dana:'))).toContain('********');
});
