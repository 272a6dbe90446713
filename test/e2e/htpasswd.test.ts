/** People of a htpasswd file, from the built program and by a real client: let in, followed, shut out, never told. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { describeWithPrograms, requirePrograms, run } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const password = 'nobody-may-read-this-anywhere';
const policy = (users: string): string => `
groups: { testers: }
users: { ${users} }
rules:
  - { name: share, subjects: [authenticated], repositories: ["sandbox/**"], actions: [pull] }
  - { name: test, subjects: ["group:testers"], repositories: ["sandbox/**"], actions: [push] }
`;

describeWithPrograms(['docker-registry'], 'a htpasswd file beside the policy files', () => {
  let dir: string;
  let file: string;
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  const users = 'dana: { groups: [testers] }';

  beforeAll(async () => {
    dir = await makeTempDir('htpasswd');
    file = join(dir, 'htpasswd');
    await put({ dana: await bcrypt.hash(password, 4), zoe: await bcrypt.hash(password, 4), old: '{SHA}x' });
    registry = await startRegistry({ delete: true });
    await pushImage(registry.url, 'sandbox/app', 'latest');
    gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(users) },
      env: { PORTCULLIS_LOGINS_HTPASSWD_FILE: file },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    await registry?.stop();
    await removeTempDir(dir);
  });

  async function put(lines: Readonly<Record<string, string>>): Promise<void> {
    const text = Object.entries(lines).map(([name, hash]) => `${name}:${hash}\n`);
    await writeFile(`${file}.next`, text.join(''));
    await rename(`${file}.next`, file);
  }

  async function logIn(account: string): Promise<{ readonly token: string; readonly refresh_token: string }> {
    const authorization = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
    const query = 'scope=repository:sandbox/app:pull,push&offline_token=true';
    const reply = await fetch(`${gateway.url}/token?${query}`, { headers: { authorization } });
    expect(reply.status).toBe(200);
    return (await reply.json()) as { token: string; refresh_token: string };
  }

  async function pull(token: string): Promise<number> {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/vnd.oci.image.manifest.v1+json' };
    const reply = await fetch(`${gateway.url}/v2/sandbox/app/manifests/latest`, { headers });
    await reply.arrayBuffer();
    return reply.status;
  }

  async function refresh(secret: string): Promise<number> {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: secret,
      service: '',
      client_id: 'x',
    });
    const reply = await fetch(`${gateway.url}/token`, { method: 'POST', body });
    await reply.arrayBuffer();
    return reply.status;
  }

  test('lets a real client in, which pulls and pushes by the groups declared for the name', async (context) => {
    requirePrograms(context, ['skopeo']);
    const host = new URL(gateway.url).host;
    const auth = join(dir, 'auth.json');
    const skopeo = (...args: readonly string[]) => run('skopeo', [...args], { env: { REGISTRY_AUTH_FILE: auth } });
    const login = await skopeo('login', '--tls-verify=false', '-u', 'dana', '-p', password, host);
    expect(login).toMatchObject({ code: 0 });
    const image = `docker://${host}/sandbox/app`;
    const flags = ['--src-tls-verify=false', '--dest-tls-verify=false'];
    expect(await skopeo('copy', ...flags, `${image}:latest`, `${image}:tested`)).toMatchObject({ code: 0 });
    expect(await skopeo('login', '--tls-verify=false', '-u', 'old', '-p', password, host)).toMatchObject({ code: 1 });
  });

  test('says where somebody came from, and names the line that cannot be used', async () => {
    await logIn('dana');
    const record = await gateway.findLog(({ event, account }) => event === 'token' && account === 'dana');
    expect(record).toMatchObject({ decision: 'allow', method: 'password', source: 'htpasswd', groups: [] });
    const page = await (await fetch(`${gateway.adminUrl}/readyz?verbose`)).text();
    expect(page).toMatch(/logins\.htpasswd.*degraded.*2 people.*htpasswd:3/s);
    const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    expect(metrics).toContain('portcullis_login_source_up{source="htpasswd"} 0');
  });

  test('ends what was issued by a line that changed or is gone, and nobody else’s', async () => {
    const [dana, zoe] = [await logIn('dana'), await logIn('zoe')];
    expect([await pull(dana.token), await pull(zoe.token)]).toEqual([200, 200]);
    expect(await refresh(zoe.refresh_token)).toBe(200);
    await put({ dana: await bcrypt.hash(password, 4) });
    await eventually(
      'both have ended',
      async () => (await pull(dana.token)) === 401 && (await pull(zoe.token)) === 401,
    );
    expect([await refresh(dana.refresh_token), await refresh(zoe.refresh_token)]).toEqual([401, 401]);
    expect(await pull((await logIn('dana')).token)).toBe(200);
  });

  test('ends what was issued to whom a policy file disables', async () => {
    const { token, refresh_token: secret } = await logIn('dana');
    await writeFile(join(gateway.policiesDir, 'p.yaml'), policy('dana: { groups: [testers], disabled: true }'));
    await eventually('dana is shut out', async () => (await pull(token)) === 401);
    expect(await refresh(secret)).toBe(401);
    await writeFile(join(gateway.policiesDir, 'p.yaml'), policy(users));
    await eventually('dana may log in again', async () => {
      const authorization = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
      return (await fetch(`${gateway.url}/token`, { headers: { authorization } })).status === 200;
    });
    expect(await refresh(secret)).toBe(401);
  });

  test('never shows in any log', () => {
    const said = gateway.stdout() + gateway.stderr();
    expect(said).toContain('"account":"dana"');
    expect(said).not.toContain(password);
    expect(said).not.toContain(Buffer.from(`dana:${password}`).toString('base64'));
    expect(said).not.toMatch(/\$2[aby]\$/);
  });
});
