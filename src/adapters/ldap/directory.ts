/** People of an LDAP directory: found by a service account, and known by a bind with their own password. */
import { comparedWith, fill } from '../../directory/filter.ts';
import type {
  Clock,
  Directory,
  DirectoryUnavailable,
  Person,
  PersonFound,
  PersonLogin,
  PersonRefused,
} from '../../ports.ts';
import {
  type Entry,
  activeDirectoryReason,
  closedBecause,
  identifierOf,
  nameOf,
  passwordChangedOf,
  personAttributes,
} from './entry.ts';
import { filterOf } from './filters.ts';
import { groupsOf } from './groups.ts';
import { createTrust } from './open.ts';
import { type Away, createServers } from './servers.ts';
import { type ServerLink, createServerLink } from './server.ts';
import type { LdapSettings } from './settings.ts';
import { type Deadline, type Reply, type Trouble, inWords } from './wire.ts';

/** Bytes; no name or password of a person is longer. */
const maxAccountBytes = 256;
const maxPasswordBytes = 1024;
const sizeLimitExceeded = 4;
/** Results of a bind that are about the password, or the entry: anything else is a trouble of the server. */
const wrong: ReadonlySet<number> = new Set([32, 48, 49]);
const shut: ReadonlySet<number> = new Set([19, 53]);

interface Parts {
  readonly settings: LdapSettings;
  readonly clock: Clock;
}

/** An answer that is the same whichever server gives it, or a trouble of this one. */
type Step<T> = T | Trouble;

/** Looks at the servers once before it resolves, at most two seconds, and from time to time then. */
export async function openDirectory(settings: LdapSettings, clock: Clock): Promise<Directory> {
  const trust = createTrust(settings.ca);
  const servers = createServers(
    settings.servers.map((server) => createServerLink(server, settings, trust)),
    (link, deadline) =>
      link.search(
        {
          base: settings.users.base,
          scope: 'base',
          filter: filterOf({ kind: 'present', attribute: 'objectClass' }, { account: '', dn: '' }),
          attributes: ['1.1'],
          sizeLimit: 1,
        },
        deadline,
      ),
  );
  await servers.firstLook();
  const parts = { settings, clock };
  return {
    async logIn(account, password) {
      if (password === '') return wrongPassword('it is empty');
      if (!isAskable(account, maxAccountBytes)) return unknown('no name of a person');
      if (!isAskable(password, maxPasswordBytes)) return wrongPassword('it is too long, or holds what none does');
      return unlessAway(await servers.ask((link, deadline) => logInAt(link, deadline, parts, { account, password })));
    },
    async look(account) {
      if (!isAskable(account, maxAccountBytes)) return unknown('no name of a person');
      return unlessAway(await servers.ask((link, deadline) => lookAt(link, deadline, parts, account)));
    },
    health: () => servers.health(),
    close: () => Promise.resolve(servers.close()),
  };
}

function unlessAway<T extends object>(answer: T | Away): T | DirectoryUnavailable {
  if (!('away' in answer)) return answer;
  const { away: detail, isTheirs } = answer;
  return { ok: false, reason: 'unavailable', detail, ...(isTheirs ? { isTheirs } : {}) };
}

/** Servers read up to a NUL, or beyond; nobody's name or password has one. */
function isAskable(text: string, maxBytes: number): boolean {
  return text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= maxBytes;
}

async function logInAt(
  link: ServerLink,
  deadline: Deadline,
  { settings, clock }: Parts,
  { account, password }: { readonly account: string; readonly password: string },
): Promise<Step<PersonLogin>> {
  const found = await find(link, deadline, settings, account);
  if (isTrouble(found)) return found;
  if ('reason' in found) {
    // The same steps as for somebody: who is not there shall not be known by the time that takes.
    const reply = await link.bind(`cn=nobody,${settings.users.base}`, password, deadline);
    return reply.ok ? found : reply;
  }
  const refused = judge(await link.bind(found.entry.dn, password, deadline), found.entry);
  if (refused !== undefined) return refused;
  return personOf(link, deadline, { settings, clock }, found);
}

async function lookAt(link: ServerLink, deadline: Deadline, parts: Parts, account: string): Promise<Step<PersonFound>> {
  const found = await find(link, deadline, parts.settings, account);
  return isTrouble(found) || 'reason' in found ? found : personOf(link, deadline, parts, found);
}

/** Why the password did not open this entry; undefined where it did. */
function judge(reply: Reply, { dn }: Entry): Step<PersonLogin> | undefined {
  if (!reply.ok) return reply;
  const { status, text } = reply;
  if (status === 0) return undefined;
  const closed =
    status === 49 ? activeDirectoryReason(text) : shut.has(status) ? inWords({ status, text: '' }) : undefined;
  if (closed !== undefined) return { ok: false, reason: 'disabled', detail: `${dn}: ${closed}` };
  if (wrong.has(status)) return wrongPassword(dn);
  return {
    ok: false,
    why: 'refused',
    detail: `cannot say whether the password of "${dn}" is right: ${inWords({ status, text: '' })}`,
  };
}

interface Found {
  readonly entry: Entry;
  readonly account: string;
}

async function find(
  link: ServerLink,
  deadline: Deadline,
  { users }: LdapSettings,
  account: string,
): Promise<Step<Found | PersonRefused>> {
  const compared = comparedWith(users.filter, 'account');
  const attributes = [...new Set([users.name, ...compared.map(({ attribute }) => attribute), ...personAttributes])];
  const values = { account, dn: '' };
  const filter = filterOf(users.filter, values);
  const reply = await link.search({ base: users.base, scope: 'sub', filter, attributes, sizeLimit: 2 }, deadline);
  if (!reply.ok) return reply;
  const [entry, ...others] = reply.entries;
  if (others.length > 0 || (entry !== undefined && reply.status === sizeLimitExceeded))
    return { ok: false, reason: 'ambiguous', detail: `several entries below "${users.base}" have the name` };
  if (entry === undefined)
    return reply.status === 0 ? unknown(`no entry below "${users.base}" has the name`) : refusedToSay();
  // Servers compare in their own ways: without soft hyphens, with wide letters as narrow ones, without spaces around.
  const isSame = compared.some(({ attribute, value }) =>
    entry.texts(attribute).some((text) => text.toLowerCase() === fill(value, values).toLowerCase()),
  );
  if (!isSame) return unknown(`"${entry.dn}" has the name only in another spelling`);
  const name = nameOf(entry, users.name);
  if (entry.dn === '' || name === undefined || name === '') {
    const detail = `"${entry.dn}" has no attribute "${users.name}" that may be read`;
    return { ok: false, why: 'refused', detail, isTheirs: true };
  }
  return { entry, account: name };
}

function refusedToSay(): Trouble {
  return { ok: false, why: 'refused', detail: 'found too much to say whom' };
}

async function personOf(
  link: ServerLink,
  deadline: Deadline,
  { settings, clock }: Parts,
  { entry, account }: Found,
): Promise<Step<{ readonly ok: true; readonly person: Person } | PersonRefused>> {
  const { dn } = entry;
  const closed = closedBecause(entry, clock());
  if (closed !== undefined) return { ok: false, reason: 'disabled', detail: `${dn}: ${closed}` };
  const id = identifierOf(entry);
  if (id === undefined) {
    const detail = `"${dn}" has no entryUUID, objectGUID or nsUniqueId that may be read: a later owner of the name would be taken for it`;
    return { ok: false, why: 'refused', detail, isTheirs: true };
  }
  const search = (asked: Parameters<ServerLink['search']>[0]): Promise<Reply> => link.search(asked, deadline);
  const groups = settings.groups === undefined ? undefined : await groupsOf(search, settings.groups, { dn, account });
  if (groups?.ok === false) return groups;
  const passwordChanged = passwordChangedOf(entry);
  return { ok: true, person: { account, id, place: dn, groups: groups?.names ?? [], passwordChanged } };
}

function isTrouble<T extends object>(step: T | Trouble): step is Trouble {
  return 'why' in step;
}

function unknown(detail: string): PersonRefused {
  return { ok: false, reason: 'unknown', detail };
}

function wrongPassword(detail: string) {
  return { ok: false, reason: 'password_wrong', detail } as const;
}
