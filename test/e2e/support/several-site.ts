/** One door before registries of every kind: open, with htpasswd, with tokens of another Portcullis, a mirror of a public one. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registries } from '../../conformance/registries.mjs';
import { freePort } from '../../support/free-port.mjs';
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway.ts';
import { pushImage } from '../../support/image.ts';
import { quickHash } from '../../support/policies.ts';
import { findProgram } from '../../support/programs.ts';
import { startRedis, startRegistry } from '../../support/registry.ts';
import { makeTempDir, removeTempDir } from '../../support/temp-dir.ts';
import { basic } from '../../support/trial.ts';

export const dana = { account: 'dana', password: 'writes the software' };
const service = { account: 'svc', password: 'pass-word-of-svc' };

/** The registries that take pushes, by their prefixes; '' is the one for everything else. `partner` needs Go. */
export const places = ['', 'sandbox', 'integration', 'partner'] as const;
export type Place = (typeof places)[number];

export interface SeveralSite {
  readonly gateway: GatewayProcess;
  readonly host: string;
  /** Of the public image that clients call `mirror/alpine:1`. */
  readonly alpine: string;
  /** What the registry itself says, asked without the gateway; null: there is none. */
  readonly digestAt: (place: Place, repository: string, reference: string) => Promise<string | null>;
  /** Requests for a repository, as the registry `sandbox` or the one for everything else wrote them down. */
  readonly requestsAt: (place: '' | 'sandbox', repository: string) => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
}

/** As a client calls it. */
export function nameAt(place: Place, repository: string): string {
  return place === '' ? `main/${repository}` : `${place}/${repository}`;
}

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** The built program by a configuration file, with Redis. */
export async function startSeveralSite(): Promise<SeveralSite> {
  const dir = await makeTempDir('several');
  const [main, sandbox, integration, hub, redis] = await Promise.all([
    startRegistry(),
    startRegistry(),
    startRegistry({ login: service }),
    startRegistry(),
    startRedis(),
  ]);
  const { digest: alpine } = await pushImage(hub.url, 'library/alpine', '1');
  const cache = await startRegistry({ mirrorOf: hub.url });
  const partner = findProgram('go') === undefined ? undefined : await startGuarded(dir);
  await writeFile(join(dir, 'svc.secret'), `${service.password}\n`);
  const credentials = `credentials: { username: ${service.account}, passwordFile: ${join(dir, 'svc.secret')} }`;
  const config = `
upstreams:
  main: { url: ${main.url} }
  sandbox: { url: ${sandbox.url}, prefix: sandbox }
  integration: { url: ${integration.url}, prefix: integration, ${credentials} }
  hub: { url: ${cache.url}, prefix: mirror, access: read, library: true }
${partner === undefined ? '' : `  partner: { url: ${partner.url}, prefix: partner, remotePrefix: team, tokenHosts: ['${partner.realm}'], ${credentials} }`}
redis: ${redis.url}
`;
  await writeFile(join(dir, 'portcullis.yaml'), config);
  const policy = `
users: { dana: { password: "${await quickHash(dana.password)}" } }
rules:
  - { name: works, subjects: ['user:dana'], repositories: ['**'], actions: [pull, push, delete, catalog] }
  - { name: releases, subjects: ['user:dana'], repositories: ['release/**'], actions: [promote] }
  - { name: by-promotion-only, effect: deny, subjects: [everyone], repositories: ['release/**'], tags: ['v*'], actions: [overwrite, delete] }
gates:
  - { name: approved, repositories: ['release/**'], from: ['sandbox/**'], fromTags: ['approved-*'] }
`;
  const env = { PORTCULLIS_CONFIG: join(dir, 'portcullis.yaml') };
  const gateway = await startGatewayProcess({ policies: { 'policy.yaml': policy }, env });
  const guarded = basic(service.account, service.password);
  const direct: Readonly<
    Record<Place, (name: string) => Promise<readonly [url: string, authorization?: string | undefined]>>
  > = {
    '': (name) => Promise.resolve([`${main.url}/v2/main/${name}`]),
    sandbox: (name) => Promise.resolve([`${sandbox.url}/v2/${name}`]),
    integration: (name) => Promise.resolve([`${integration.url}/v2/${name}`, guarded]),
    partner: async (name) => [`${partner?.url}/v2/team/${name}`, await partner?.bearer(`team/${name}`)],
  };
  return {
    gateway,
    host: new URL(gateway.url).host,
    alpine,
    async digestAt(place, repository, reference) {
      const [url, authorization] = await direct[place](repository);
      const headers = { accept, ...(authorization && { authorization }) };
      const reply = await fetch(`${url}/manifests/${reference}`, { method: 'HEAD', headers });
      return reply.status === 200 ? reply.headers.get('docker-content-digest') : null;
    },
    async requestsAt(place, repository) {
      const log = await (place === '' ? main : sandbox).settledAccessLog();
      return log.split('\n').filter((line) => line.includes(`/v2/${repository}/`));
    },
    async stop() {
      await gateway.stop();
      await Promise.all([main, sandbox, integration, hub, cache, redis].map((program) => program.stop()));
      await partner?.stop();
      await removeTempDir(dir);
    },
  };
}

/** distribution 3, whose tokens a second Portcullis gives. */
async function startGuarded(dir: string) {
  await mkdir(join(dir, 'build'));
  const { provide, start } = registries.distribution3;
  const program = await provide(join(dir, 'build'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const rules = `
users: { ${service.account}: { password: "${await quickHash(service.password)}" } }
rules:
  - { name: work, subjects: [authenticated], repositories: ["team/**"], actions: [pull, push, delete] }
  - { name: list, subjects: [authenticated], repositories: ["**"], actions: [catalog] }
`;
  const realm = await startGatewayProcess({ upstream: url, policies: { 'policy.yaml': rules } });
  const { host } = new URL(realm.url);
  const jwks = join(dir, 'jwks.json');
  await writeFile(jwks, await (await fetch(`${realm.url}/.well-known/jwks.json`)).text());
  const token = { realm: `${realm.url}/token`, service: host, issuer: realm.url, jwks };
  const registry = await start(program, join(dir, 'guarded'), { port, auth: { token } });
  return {
    url,
    realm: host,
    async bearer(repository: string): Promise<string> {
      const query = new URLSearchParams({ service: host, scope: `repository:${repository}:pull` });
      const headers = { authorization: basic(service.account, service.password) };
      const reply = await fetch(`${realm.url}/token?${query.toString()}`, { headers });
      return `Bearer ${((await reply.json()) as { readonly token: string }).token}`;
    },
    async stop() {
      await registry.stop();
      await realm.stop();
    },
  };
}
