/** Ways into the page beside a password: what they are made of. */
import type { Config } from '../config/load.ts';
import type { Front } from '../http/front/front.ts';
import { oidcDoors } from '../http/web/oidc.ts';
import type { Door } from '../http/web/step.ts';
import { LoginQueue } from '../identity/login-queue.ts';
import type { WebLogins } from '../identity/sources/oidc.ts';
import { createPendingLogins } from '../sealed/pending-login.ts';
import type { OpenDirectories } from './directories.ts';
import type { Machine } from './machine.ts';
import type { Observed } from './observed.ts';

/** At once at the provider, how long one may wait for its turn, and how many. */
const queue = { atOnce: 16, waitMs: 3000, waiting: 400 } as const;

export interface WebLoginGround {
  readonly config: Pick<Config, 'logins'>;
  readonly directories: Pick<OpenDirectories, 'oidc'>;
  readonly people: WebLogins | undefined;
  readonly machine: Pick<Machine, 'keys' | 'stores'>;
  readonly front: Front;
  readonly observed: Pick<Observed, 'countLogin'>;
}

/** Where people make access tokens who have no password; undefined where there are none. */
export function tokenPageOf({ logins, publicUrl }: Pick<Config, 'logins' | 'publicUrl'>): string | undefined {
  return logins.oidc === undefined ? undefined : `${publicUrl}/ui/me`;
}

/** None where nobody logs in so. */
export function openWebLogins(ground: WebLoginGround): readonly Door[] {
  const { config, directories, people, machine, front, observed } = ground;
  const { oidc } = config.logins;
  const opened = directories.oidc;
  if (oidc === undefined || opened === undefined || people === undefined) return [];
  const turns = new LoginQueue(queue.atOnce, queue.waitMs, queue.waiting);
  return oidcDoors({
    ...{ front, onLogin: observed.countLogin, provider: opened.provider, label: opened.label },
    sessions: machine.stores.sessions,
    pending: createPendingLogins(machine.keys, front.clock, [oidc.issuer, oidc.clientId]),
    accept: (person) => people.accept(person),
    inTurn: (task) => turns.run(task),
  });
}
