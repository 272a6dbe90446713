/** A registry that verifies the tokens of a gateway in token mode by itself: nothing of it passes through the gateway. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registries } from '../../conformance/registries.mjs';
import { freePort } from '../../support/free-port.mjs';
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway.ts';
import { quickHash } from '../../support/policies.ts';
import { type RunResult, run } from '../../support/programs.ts';
import { makeTempDir, removeTempDir } from '../../support/temp-dir.ts';
import { cli } from '../../support/trial.ts';

export const password = 'pass-word-of-dana';

export interface VerifyingSite {
  readonly gateway: GatewayProcess;
  readonly registryUrl: string;
  /** HOST:PORT of the registry, where clients log in. */
  readonly host: string;
  /** `Bearer …`, as somebody gets it for their password. */
  readonly tokenOf: (name: string, scope: string) => Promise<string>;
  /** The status of a token request. */
  readonly asked: (name: string, scope: string) => Promise<number>;
  /** dana works in `team/**`, lena reads there, mia works in `mine/**`; `lena`: more of her account. */
  readonly setPolicy: (lena?: string) => Promise<void>;
  /** `portcullis key VERB` on the gateway's own keys. */
  readonly key: (verb: string) => Promise<RunResult>;
  /** Files of private keys, oldest first. */
  readonly keyFiles: () => Promise<readonly string[]>;
  /** What it verifies by is read again: all published keys, or of zot that of the newest file. What it holds stays; zot keeps equal blobs once with `dedupe`. */
  readonly restart: (options?: { readonly dedupe: boolean }) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export type Verifier = 'distribution3' | 'zot';

interface Running {
  readonly url: string;
  readonly stop: () => unknown;
}

/** The gateway's tokens live for a minute. */
export async function startVerifyingSite(kind: Verifier): Promise<VerifyingSite> {
  const dir = await makeTempDir('token-mode');
  await mkdir(join(dir, 'build'));
  const { provide, start } = registries[kind];
  const program: unknown = await provide(join(dir, 'build'));
  const port = await freePort();
  const hash = await quickHash(password);
  const env = { PORTCULLIS_ENFORCE: 'token', PORTCULLIS_TOKENS_ACCESS_TTL: '60s' };
  const policies = { 'policy.yaml': policyOf(hash) };
  const gateway = await startGatewayProcess({ upstream: `http://127.0.0.1:${port}`, policies, env });
  const { host: service } = new URL(gateway.url);
  const keys = join(gateway.policiesDir, '..', 'state', 'keys');
  const keyFiles = async (): Promise<readonly string[]> =>
    (await readdir(keys))
      .filter((name) => name.endsWith('.pem'))
      .sort()
      .map((name) => join(keys, name));

  const authOf: Record<Verifier, () => Promise<object>> = {
    distribution3: async () => {
      const jwks = join(dir, 'jwks.json');
      await writeFile(jwks, await (await fetch(`${gateway.url}/.well-known/jwks.json`)).text());
      return { token: { realm: `${gateway.url}/token`, service, issuer: gateway.url, jwks } };
    },
    zot: async () => {
      const cert = join(dir, 'key.pem');
      const made = await run('openssl', ['pkey', '-in', (await keyFiles()).at(-1) ?? '', '-pubout', '-out', cert]);
      if (made.code !== 0) throw new Error(made.stderr);
      return { bearer: { realm: `${gateway.url}/token`, service, cert } };
    },
  };
  const startRegistry = async (options = {}): Promise<Running> => {
    const place = join(dir, `run-${Date.now()}`);
    return start(program, place, { port, auth: await authOf[kind](), data: join(dir, 'data'), ...options });
  };
  let registry = await startRegistry();
  const ask = (name: string, scope: string): Promise<Response> =>
    fetch(`${gateway.url}/token?service=${service}&scope=${scope}`, {
      headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` },
    });
  return {
    gateway,
    registryUrl: registry.url,
    host: new URL(registry.url).host,
    tokenOf: async (name, scope) =>
      `Bearer ${((await (await ask(name, scope)).json()) as { readonly token: string }).token}`,
    asked: async (name, scope) => {
      const reply = await ask(name, scope);
      await reply.arrayBuffer();
      return reply.status;
    },
    setPolicy: (lena = '') => writeFile(join(gateway.policiesDir, 'policy.yaml'), policyOf(hash, lena)),
    key: (verb) => run(process.execPath, [cli, 'key', verb, '--keys', keys], { cwd: dir, env: { HOME: dir } }),
    keyFiles,
    restart: async (options) => {
      await registry.stop();
      registry = await startRegistry(options);
    },
    stop: async () => {
      await registry.stop();
      await gateway.stop();
      await removeTempDir(dir);
    },
  };
}

function policyOf(hash: string, lena = ''): string {
  return `
users: { dana: { password: "${hash}" }, lena: { password: "${hash}"${lena} }, mia: { password: "${hash}" } }
rules:
  - { name: work, subjects: ["user:dana"], repositories: ["team/**"], actions: [pull, push, delete] }
  - { name: read, subjects: ["user:lena"], repositories: ["team/**"], actions: [pull] }
  - { name: elsewhere, subjects: ["user:mia"], repositories: ["mine/**"], actions: [pull, push] }
  - { name: lists, subjects: ["user:dana"], repositories: ["**"], actions: [catalog] }
`;
}

/** The two first parts of a token. */
export function partsOf(bearer: string): readonly Readonly<Record<string, unknown>>[] {
  const parts = bearer.slice('Bearer '.length).split('.').slice(0, 2);
  return parts.map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
}
