/** One server of a directory: a connection that searches, kept while it is used, and one for each password that is tried. */
import type { LdapServer } from '../../network/ldap-url.ts';
import { readBounded } from '../files/bounded-file.ts';
import { type Opened, type Trust, openWire } from './open.ts';
import type { LdapSettings } from './settings.ts';
import { type Deadline, type Reply, type Search, type Trouble, type Wire, inWords } from './wire.ts';

export interface ServerLink {
  readonly url: string;
  /** By the service account. Any result but success and `size limit exceeded` is a trouble. */
  search(search: Search, deadline: Deadline): Promise<Reply>;
  /** The server's answer to a bind as this entry, on a connection of its own. Neither may be empty: that would be a bind as nobody. */
  bind(dn: string, password: string, deadline: Deadline): Promise<Reply>;
  close(): void;
}

/** Shorter than what firewalls forget without a word. */
const idleMs = 60_000;
const sizeLimitExceeded = 4;
const maxSecretBytes = 4096;

/** Nothing is opened before it is asked. */
export function createServerLink(
  server: LdapServer,
  { bind, startTls }: Pick<LdapSettings, 'bind' | 'startTls'>,
  trust: Trust,
): ServerLink {
  const open = (deadline: Deadline): Promise<Opened> =>
    openWire(server, { startTls: startTls && !server.isTls, trust }, deadline);
  let kept: Wire | undefined;
  let opening: Promise<Opened> | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isClosed = false;

  const rest = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      kept?.close();
      kept = undefined;
    }, idleMs).unref();
  };

  /** At most one is made at a time; `isNew`: it was not there before. */
  async function service(deadline: Deadline) {
    if (kept?.isUsable === true) return { ok: true, wire: kept, isNew: false } as const;
    opening ??= openService(deadline).finally(() => (opening = undefined));
    const opened = await opening;
    return opened.ok ? ({ ...opened, isNew: true } as const) : opened;
  }

  async function openService(deadline: Deadline): Promise<Opened> {
    const opened = await open(deadline);
    if (!opened.ok) return opened;
    const refused = bind === undefined ? undefined : await bindService(opened.wire, bind, deadline);
    if (refused !== undefined || isClosed) {
      opened.wire.close();
      return refused ?? { ok: false, why: 'cut', detail: 'was left' };
    }
    kept = opened.wire;
    return opened;
  }

  return {
    url: server.url,
    async search(search, deadline) {
      const first = await service(deadline);
      if (!first.ok) return first;
      rest();
      let reply = await first.wire.search(search, deadline);
      if (!reply.ok && reply.why === 'cut' && !first.isNew) {
        // It was gone before it was asked, as servers end what lies idle: nothing says that the server is.
        const second = await service(deadline);
        reply = second.ok ? await second.wire.search(search, deadline) : second;
      }
      if (!reply.ok || reply.status === 0 || reply.status === sizeLimitExceeded) return reply;
      return { ok: false, why: 'refused', detail: `cannot search "${search.base}": ${inWords(reply)}` };
    },
    async bind(dn, password, deadline) {
      if (dn === '' || password === '')
        return { ok: false, why: 'refused', detail: 'nobody is logged in without a password' };
      const opened = await open(deadline);
      if (!opened.ok) return opened;
      const reply = await opened.wire.bind(dn, password, deadline);
      opened.wire.close();
      return reply;
    },
    close() {
      isClosed = true;
      clearTimeout(idle);
      kept?.close();
    },
  };
}

async function bindService(
  wire: Wire,
  { dn, password }: NonNullable<LdapSettings['bind']>,
  deadline: Deadline,
): Promise<Trouble | undefined> {
  const refused = (detail: string): Trouble => ({ ok: false, why: 'refused', detail });
  const file = typeof password === 'string' ? await readBounded(password, maxSecretBytes) : undefined;
  if (file?.ok === false) return refused(`the password of "${dn}" cannot be read: ${file.detail}`);
  const secret = typeof password === 'string' ? (file?.text ?? '').replace(/\r?\n$/, '') : password.reveal();
  if (secret === '') return refused(`the password of "${dn}" is empty`);
  const reply = await wire.bind(dn, secret, deadline);
  if (!reply.ok) return reply;
  return reply.status === 0 ? undefined : refused(`does not take "${dn}": ${inWords(reply)}`);
}
