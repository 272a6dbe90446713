import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readKeyFiles } from '../../../src/adapters/files/key-ring.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Access } from '../../../src/distribution/access.ts';
import { createAccessTokens } from '../../../src/token/access-token.ts';
import { type GatewayHere, startGatewayHere } from '../../support/gateway.ts';
import { ringOf } from '../../support/keys.ts';
import { quickHash } from '../../support/policies.ts';
import { type ObedientOptions, startObedientRegistry } from '../../support/registries.ts';

/** The gateway in this process, its registry behind it, and everything that it wrote down. */
export interface Front extends Omit<GatewayHere, 'close'> {
  readonly stateDir: string;
  /** What reached the registry, apart from the gateway's own questions: `GET /v2/…`. */
  readonly forwarded: readonly string[];
  /** Puts other policy files into force, or tries to. */
  readonly setPolicy: (text: string) => Promise<void>;
  readonly token: (account: string, ...scopes: readonly string[]) => Promise<string>;
  /** A token as the gateway would have signed it so many seconds ago, whatever the policy says. */
  readonly sign: (account: string, access: readonly Access[], secondsAgo?: number) => Promise<string>;
  readonly close: () => Promise<void>;
}

export const service = 'registry.test';
export const realm = 'https://registry.test/token';
/** Long and unlike anything else, so that it can be looked for in logs. */
export const passwordOf = (account: string): string => `${account}-CANARY-password-7f3a`;

export interface FrontOptions extends ObedientOptions {
  readonly rules: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Another registry than the obedient one; whoever gives it closes it. */
  readonly upstream?: string;
}

export async function startFront(options: FrontOptions): Promise<Front> {
  const people = `groups: { devs: }
users:
  dana: { password: '${await quickHash(passwordOf('dana'))}', groups: [devs] }
  tess: { password: '${await quickHash(passwordOf('tess'))}' }
  gone: { password: '${await quickHash(passwordOf('gone'))}', disabled: true }
`;
  const registry = await startObedientRegistry(options);
  const policies = { 'people.yaml': people, 'rules.yaml': options.rules };
  const here = await startGatewayHere(policies, (dir, policiesDir) => {
    const env = {
      PORTCULLIS_LISTEN: '127.0.0.1:0',
      PORTCULLIS_ADMIN_LISTEN: '127.0.0.1:0',
      PORTCULLIS_PUBLIC_URL: 'https://registry.test',
      PORTCULLIS_UPSTREAM: options.upstream ?? registry.url,
      PORTCULLIS_POLICIES: policiesDir,
      PORTCULLIS_STATE_DIR: join(dir, 'state'),
      ...options.env,
    };
    const readSecret = (path: string): never => {
      throw new Error(`no secret file is read here: ${path}`);
    };
    const loaded = loadConfig({ env, flags: {}, cwd: dir, readSecret, tryMode: false });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
    return loaded.config;
  });
  const { gateway, config, policiesDir } = here;
  const { publicUrl: issuer, tokens: settings, stateDir } = config;
  const ring = readKeyFiles(join(stateDir, 'keys'), false);
  if (!ring.ok) throw new Error(ring.problems.map(({ message }) => message).join('\n'));
  const keys = ringOf(...ring.files.map(({ key }) => key));
  const tokens = createAccessTokens({ keys, issuer, service, ttlSeconds: settings.accessTtlSeconds });

  return {
    ...here,
    stateDir,
    forwarded: registry.requests,
    async setPolicy(text) {
      await writeFile(join(policiesDir, 'rules.yaml'), text);
      await gateway.reload();
    },
    async token(account, ...scopes) {
      const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&');
      const headers: Record<string, string> = account === '' ? {} : { authorization: `Basic ${credentials(account)}` };
      const reply = await fetch(`${gateway.url}/token?service=${service}&${query}`, { headers });
      const body = (await reply.json()) as { readonly token?: string };
      if (body.token === undefined) throw new Error(`no token for ${account}: ${reply.status}`);
      return body.token;
    },
    sign(account, access, secondsAgo = 0) {
      const credential = gateway.policy().compiled.policy.users.get(account)?.password?.text;
      return tokens.sign(account, access, Math.floor(Date.now() / 1000) - secondsAgo, { credential });
    },
    async close() {
      await here.close();
      await registry.close();
    },
  };
}

export function credentials(account: string, password = passwordOf(account)): string {
  return Buffer.from(`${account}:${password}`).toString('base64');
}
