/** The gateway's own login at a registry, and whose certificates it believes there, as the configuration has it. */
import { createHelperCredentials } from '../adapters/docker/helper-credentials.ts';
import { readAuthorities } from '../adapters/files/authorities.ts';
import { createFileCredentials, createGivenCredentials } from '../adapters/files/upstream-files.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { createLoginServers } from '../adapters/registry/login-servers.ts';
import type { UpstreamCredentials, UpstreamTerms } from '../config/upstreams.ts';
import type { BackendOptions } from '../http/backend/backend.ts';
import type { CredentialSource } from '../ports.ts';
import { createRegistryLogin } from '../registry-login/registry-login.ts';
import { reportTo } from './reports.ts';

/** Asks and runs nothing. Throws for an authority that cannot be read, which was looked at before. */
export function loginAt(
  { name, url, ca, credentials, tokenHosts }: UpstreamTerms,
  log: OperatorLog,
): Pick<BackendOptions, 'login' | 'secureContext'> {
  const secureContext = ca === undefined ? undefined : readAuthorities(ca);
  if (tokenHosts === undefined) return { secureContext };
  const origin = new URL(url);
  const login = createRegistryLogin({
    ...{ origin, tokenHosts },
    credentials: credentials === undefined ? undefined : sourceOf(credentials, origin),
    servers: createLoginServers(secureContext),
    onFailure: (detail) => reportTo(log).onUpstreamLoginFailure(name, detail),
  });
  return { login, secureContext };
}

function sourceOf(credentials: UpstreamCredentials, origin: URL): CredentialSource {
  if ('helper' in credentials) return createHelperCredentials({ name: credentials.helper, origin, env: process.env });
  const { username } = credentials;
  if ('password' in credentials) return createGivenCredentials(username, credentials.password);
  return createFileCredentials(username, credentials.passwordFile);
}
