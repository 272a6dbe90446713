/** A directory as the gateway opens it, at the servers of a test. */
import { openDirectory } from '../../src/adapters/ldap/directory.ts';
import type { LdapSettings } from '../../src/adapters/ldap/settings.ts';
import { type FilterTemplate, parseFilter } from '../../src/directory/filter.ts';
import { parseLdapUrl } from '../../src/network/ldap-url.ts';
import type { Directory } from '../../src/ports.ts';
import { Secret } from '../../src/secret.ts';
import { groups, password, people, service } from './slapd.ts';

export function filter(text: string): FilterTemplate {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

/** Groups by `member`, not nested; what is not given is as in an OpenLDAP of the book. */
export function directorySettings(urls: string | readonly string[], more: Partial<LdapSettings> = {}): LdapSettings {
  const servers = [urls].flat().map((url) => {
    const server = parseLdapUrl(url);
    if (!server.ok) throw new Error(server.message);
    return server.value;
  });
  return {
    servers,
    ca: undefined,
    startTls: false,
    bind: { dn: service.dn, password: new Secret(service.password) },
    users: { base: people, filter: filter('(uid=${account})'), name: 'uid' },
    groups: { base: groups, filter: filter('(member=${dn})'), name: 'cn', nested: 'no' },
    ...more,
  };
}

/** Closed afterwards, whatever happens. */
export async function withDirectory<T>(settings: LdapSettings, use: (directory: Directory) => Promise<T>): Promise<T> {
  const directory = await openDirectory(settings, Date.now);
  try {
    return await use(directory);
  } finally {
    await directory.close();
  }
}

/** Of a login, with the text by which each is known on its way to the server. */
export const loginSteps: readonly (readonly [step: string, text: string])[] = [
  ['the bind of the service account', service.dn],
  ['the search for the person', 'entryUUID'],
  ["the bind with the person's password", password],
  ['the search for groups', 'member'],
];
