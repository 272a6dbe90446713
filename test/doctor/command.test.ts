/** `doctor` as people and scripts call it: its lines, its codes, its flags. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callProgram } from '../cli/in-process.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { type Site, openSite, soundPolicy } from './doctor.ts';

let [site, registry]: [Site, StandIn] = [] as never;

beforeAll(async () => {
  registry = await startStandIn((request, response) => void (request.resume(), response.end('{}')), {
    address: '0.0.0.0',
  });
  site = await openSite(`http://127.0.0.1:${registry.port}`);
});

afterAll(async () => {
  await site.remove();
  await registry.close();
});

const doctor = (...args: readonly string[]) =>
  callProgram(['doctor', ...args], { cwd: site.dir, env: { NODE_ENV: 'production', HOME: site.dir } });

test('a line for each check, with what to do below what is not well; 1 when something failed', async () => {
  const { code, stdout } = await doctor('--only', '5,13');
  const [first, second, third, ...rest] = stdout.split('\n');
  expect(first).toMatch(/^\[ 5\] ok {4}policy path: /);
  expect(second).toBe(
    `[13] FAIL  registry past the gateway: the registry on this machine listens on port ${registry.port} of every interface: whoever reaches that writes without a login`,
  );
  expect(third).toMatch(/^ {5}→ bind the registry to 127\.0\.0\.1 /);
  expect(rest).toEqual(['']);
  expect(code).toBe(1);
  expect((await doctor('--only', '5,5')).code).toBe(0);
});

test('--json has them as an object, null where there is nothing to do', async () => {
  const { stdout } = await doctor('--only', '13,5', '--json');
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: readonly object[] };
  expect(ok).toBe(false);
  expect(checks.map((each) => Object.keys(each))).toEqual(
    [0, 1].map(() => ['number', 'name', 'state', 'found', 'fix']),
  );
  expect(checks).toMatchObject([
    { number: 5, state: 'ok', fix: null },
    { number: 13, state: 'FAIL' },
  ]);
});

test('a configuration that cannot be read is the third check, and 78', async () => {
  await writeFile(join(site.dir, 'broken.yaml'), 'publicUrl: nonsense\nupstream: http://127.0.0.1:1\n');
  const { code, stdout } = await doctor('--config', 'broken.yaml');
  expect(code).toBe(78);
  expect(stdout).toMatch(/^\[ 3\] FAIL {2}configuration: broken\.yaml:1/);
  const { code: again, stdout: json } = await doctor('--config', 'broken.yaml', '--json');
  expect(again).toBe(78);
  expect(JSON.parse(json)).toMatchObject({ ok: false, checks: [{ number: 3, state: 'FAIL' }] });
});

test('what cannot be meant is told, and 2', async () => {
  for (const args of [
    ['--only', '29'],
    ['--only', 'x'],
    ['--from', 'registry:5000'],
    ['--password-stdin'],
    ['--as', 'dana'],
  ])
    expect([args, (await doctor(...args)).code]).toEqual([args, 2]);
});

test('what others say writes no lines of its own', async () => {
  const other = await startStandIn((request, response) => {
    request.resume();
    response.writeHead(200, { server: 'x\u009b31m [13] ok' }).end('{}');
  });
  await site.configure({ upstream: other.url });
  const { stdout } = await doctor('--only', '11');
  expect(stdout.split('\n')).toHaveLength(2);
  expect(stdout).not.toMatch(/[\u0080-\u009f\u001b]/);
  await site.configure({});
  await other.close();
});

test('24: secrets of robots are looked at behind however many people', async () => {
  const admin = await startStandIn((request, response) => {
    const secrets = [{ id: 'old1', marks: ['unused 90 days'] }];
    const isNext = request.url?.includes('after=1%3Azoe') === true;
    response.end(JSON.stringify(isNext ? { accounts: [{ name: 'ci', secrets }] } : { accounts: [], next: '1:zoe' }));
  });
  await writeFile(join(site.dir, 'state/admin-token'), 'secret\n', { mode: 0o600 });
  await site.configure({ admin: { listen: admin.host } });
  const robot = `robots: { ci: { tokens: [{ id: old1, sha256: ${'a'.repeat(64)}, expires: 2099-01-01 }] } }\n`;
  await site.policies((await soundPolicy()) + robot);
  const { stdout } = await doctor('--only', '24');
  expect(stdout).toContain('[24] warn  accounts: secret "old1" of robot "ci": unused 90 days');
  await admin.close();
});
