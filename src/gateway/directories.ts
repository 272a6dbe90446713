/** Where people outside the policy files are known: what is opened for it, and how each is shown. */
import { type HtpasswdFile, followHtpasswdFile } from '../adapters/files/htpasswd-file.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import type { Problem } from '../document/problem.ts';
import type { LoginSource } from '../policy/model.ts';
import type { Config } from '../config/load.ts';
import type { Clock, Directory, LoginProvider } from '../ports.ts';
import type { Inputs } from './inputs.ts';
import { type Part, formatAll } from './readiness.ts';

/** A directory, and how often it is asked. */
export interface OpenDirectory {
  readonly source: LoginSource;
  readonly directory: Directory;
  readonly refreshMs: number;
  readonly staleForMs: number;
}

/** By whom people log in with their browser, and for how long that counts. */
export interface OpenProvider {
  readonly provider: LoginProvider;
  readonly recheckMs: number;
  /** For people. */
  readonly label: string;
}

/** In the order in which they are asked whose a name is. */
export interface OpenDirectories {
  readonly oidc: OpenProvider | undefined;
  readonly htpasswd: HtpasswdFile | undefined;
  readonly opened: readonly OpenDirectory[];
  readonly parts: readonly Part[];
  /** As metrics show them. */
  readonly sources: () => readonly { readonly name: string; readonly isUp: boolean }[];
  close(): Promise<void>;
}

/** Those of the configuration, each asked once, for two seconds at most. A driver is loaded where it is used. */
export async function connectDirectories({ ldap }: Config['logins'], clock: Clock): Promise<readonly OpenDirectory[]> {
  if (ldap === undefined) return [];
  const { openDirectory } = await import('../adapters/ldap/directory.ts');
  const { refreshMs, staleForMs, ...settings } = ldap;
  return [{ source: 'ldap', directory: await openDirectory(settings, clock), refreshMs, staleForMs }];
}

/** It is asked when it is needed: one that is away at the start is one that is away. */
export async function connectProvider({ logins: { oidc }, publicUrl }: Config): Promise<OpenProvider | undefined> {
  if (oidc === undefined) return undefined;
  const { createOidcProvider } = await import('../adapters/oidc/provider.ts');
  const { recheckMs, label, ...settings } = oidc;
  const provider = createOidcProvider({ ...settings, redirectUri: `${publicUrl}/ui/login/callback` });
  return { provider, recheckMs, label };
}

/**
 * Connections are made when they are needed: a directory that is away at the start is one that is away. A htpasswd file is
 * followed from what was read of it.
 */
export function openDirectories(
  directories: readonly OpenDirectory[],
  htpasswd: Inputs['htpasswd'],
  log: OperatorLog,
  oidc?: OpenProvider,
): OpenDirectories {
  const file = htpasswd && followHtpasswd(htpasswd, log);
  const parts: Part[] = directories.map(({ source, directory }) => ({
    name: `logins.${source}`,
    health: () => directory.health(),
  }));
  if (file !== undefined) parts.unshift({ name: 'logins.htpasswd', health: () => htpasswdHealth(file) });
  if (oidc !== undefined) parts.push({ name: 'logins.oidc', health: () => oidc.provider.health() });
  return {
    oidc,
    opened: directories,
    htpasswd: file,
    parts,
    sources: () => parts.map(({ name, health }) => ({ name: name.slice('logins.'.length), isUp: health().ok })),
    async close() {
      file?.close();
      oidc?.provider.close();
      await Promise.all(directories.map(({ directory }) => directory.close()));
    },
  };
}

function followHtpasswd({ path, reading }: NonNullable<Inputs['htpasswd']>, log: OperatorLog): HtpasswdFile {
  const report = (problems: readonly Problem[], isUsed: boolean): void => {
    const what = isUsed ? 'lines of the htpasswd file cannot be used' : 'the htpasswd file cannot be read';
    if (problems.length === 0) log.info('the htpasswd file is in use', { file: path });
    else log.error(isUsed ? what : `${what}; the last good one stays`, { detail: formatAll(problems.slice(0, shown)) });
  };
  report(reading.problems, true);
  return followHtpasswdFile(reading, { path, onChange: report });
}

/** Problems that one line tells. */
const shown = 20;

function htpasswdHealth({ people, problems }: HtpasswdFile): { readonly ok: boolean; readonly detail: string } {
  const found = problems();
  const count = `${people().users.size} people`;
  return {
    ok: found.length === 0,
    detail: found.length === 0 ? count : `${count}; ${formatAll(found.slice(0, shown))}`,
  };
}
