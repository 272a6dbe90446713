/** The program runs the tests of policies by the names that it judges, at its start and at every edit. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/free-port.mjs';
import { type Program, startProgram } from '../support/programs.ts';
import { answersOk } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { cli } from '../support/trial.ts';

const policy = (verdict: 'allow' | 'deny'): string => `users: { dana: {} }
rules:
  - { name: official, subjects: ['user:dana'], repositories: ['mirror/library/*'], actions: [pull] }
tests:
  - { name: official, as: 'user:dana', ${verdict}: [pull mirror/alpine] }
`;

let dir: string;
let gateway: Program;
beforeAll(async () => {
  dir = await makeTempDir('upstream-tests');
  const [port, adminPort] = [await freePort(), await freePort()];
  await writeFile(join(dir, 'policy.yaml'), policy('allow'));
  await writeFile(
    join(dir, 'portcullis.yaml'),
    `listen: 127.0.0.1:${port}
publicUrl: http://127.0.0.1:${port}
admin: { listen: 127.0.0.1:${adminPort} }
policies: policy.yaml
upstreams: { hub: { url: http://127.0.0.1:9, prefix: mirror, access: read, library: true } }
`,
  );
  gateway = await startProgram(process.execPath, [cli, 'serve'], {
    cwd: dir,
    env: { HOME: dir },
    isReady: () => answersOk(`http://127.0.0.1:${adminPort}/livez`),
  });
});
afterAll(async () => {
  await gateway.stop();
  await removeTempDir(dir);
});

test('mirror/alpine is mirror/library/alpine to them', async () => {
  await writeFile(join(dir, 'policy.yaml'), policy('deny'));
  const refused = 'pull mirror/library/alpine should be denied, but is allowed';
  await gateway.until(() => gateway.stdout().includes(refused), 'it refused the edit');
  const loads = (): number => gateway.stdout().split('"event":"policy"').length;
  const before = loads();
  await writeFile(join(dir, 'policy.yaml'), `${policy('allow')}# again\n`);
  await gateway.until(() => loads() > before, 'it took the next edit');
  expect(
    gateway
      .stdout()
      .split('\n')
      .findLast((line) => line.includes('"event":"policy"')),
  ).toContain('"decision":"allow"');
});
