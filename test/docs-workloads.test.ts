/** docs/workloads.md keeps its word: its policy is a good one, and its snippets hand a job's token to docker. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { lintPolicy } from '../src/policy/analysis/lint.ts';
import { compile, inPolicy } from './support/policies.ts';
import { run } from './support/programs.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { projectDir } from './support/trial.ts';

const page = await readFile(join(projectDir, 'docs/workloads.md'), 'utf8');
const [policy = '', github = '', gitlab = ''] = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text);
const plugin = join(projectDir, 'deploy/kubelet-credential-plugin.sh');
const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl-_';

let dir: string;
beforeAll(async () => {
  dir = await makeTempDir('workload-docs');
  await writeFile(join(dir, 'docker'), `#!/bin/sh\necho "$@" > "${dir}/arguments"\ncat > "${dir}/password"\n`);
  await chmod(join(dir, 'docker'), 0o755);
});
afterAll(() => removeTempDir(dir));

/** What docker was called with, and the password that it read. */
async function dockerIn(script: string, env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const PATH = `${dir}:${process.env['PATH'] ?? ''}`;
  const done = await run('sh', ['-ec', script], { env: { ...env, PATH } });
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const read = async (name: string): Promise<string> => (await readFile(join(dir, name), 'utf8')).trim();
  return [await read('arguments'), await read('password')];
}

test('its policy is read, and check has nothing to say about its workloads', () => {
  const compiled = compile(policy);
  const { problems, notes } = lintPolicy(compiled.policy, 0);
  expect([...problems, ...notes]).toEqual([]);
  const principal = inPolicy(compiled, { kind: 'workload', name: 'github-main' });
  expect(compiled.decide({ principal, action: 'push', repository: 'integration/app', now: 0 }).allowed).toBe(true);
});

test('GitHub Actions: the token that the runner gives out is the password', async () => {
  const asked: (string | undefined)[] = [];
  const runner = createServer(({ url, headers }, response) => {
    asked.push(`${url} ${headers.authorization}`);
    response.end(JSON.stringify({ count: 1, value: token }));
  });
  await new Promise<void>((resolve) => runner.listen(0, '127.0.0.1', resolve));
  const { port } = runner.address() as { port: number };
  const { steps } = parse(github) as { steps: { run: string }[] };
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/token?v=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner',
  };
  expect(await dockerIn(steps[0]?.run ?? '', env)).toEqual([
    'login registry.example.com -u github-main --password-stdin',
    token,
  ]);
  expect(asked).toEqual(['/token?v=1&audience=registry.example.com Bearer runner']);
  runner.close();
});

test('GitLab CI: the token of the job is the password', async () => {
  const { push } = parse(gitlab) as { push: { script: string[]; id_tokens: object } };
  expect(push.id_tokens).toEqual({ REGISTRY_TOKEN: { aud: 'registry.example.com' } });
  expect(await dockerIn(push.script.join('\n'), { REGISTRY_TOKEN: token })).toEqual([
    'login registry.example.com -u gitlab-main --password-stdin',
    token,
  ]);
});

describe('the plugin of the kubelet', () => {
  const ask = (request: object, indent?: number, args: readonly string[] = []) =>
    run(plugin, [...args], { input: JSON.stringify(request, null, indent) });
  const request = {
    kind: 'CredentialProviderRequest',
    apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
    image: 'registry.example.com/release/app:1',
    serviceAccountAnnotations: { note: '"serviceAccountToken": "other"' },
    serviceAccountToken: token,
  };

  test.each([undefined, 2])('hands on the token of the pod as the password (indent %s)', async (indent) => {
    const { stdout } = await ask(request, indent, ['shop-pods']);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'CredentialProviderResponse',
      apiVersion: request.apiVersion,
      cacheKeyType: 'Registry',
      auth: { 'registry.example.com': { username: 'shop-pods', password: token } },
    });
    expect(JSON.parse((await ask(request)).stdout)).toMatchObject({
      auth: { 'registry.example.com': { username: 'oidc' } },
    });
  });

  test('fails with what to set where the kubelet gives no token', async () => {
    const { code, stderr, stdout } = await ask({ ...request, serviceAccountToken: undefined });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('serviceAccountTokenAudience');
  });

  test('is what its configuration names', async () => {
    const text = await readFile(join(projectDir, 'deploy/kubelet-credential-provider.yaml'), 'utf8');
    const { providers } = parse(text) as { providers: { name: string; args: string[] }[] };
    expect(providers[0]?.name).toBe('kubelet-credential-plugin.sh');
    expect([...compile(policy).policy.workloads.keys()]).toContain(providers[0]?.args[0]);
    expect((await readFile(plugin, 'utf8')).split('\n').length).toBeLessThanOrEqual(36);
  });
});
