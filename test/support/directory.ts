/** A directory of a few people in memory, by the port that real ones are behind; what is asked is counted. */
import type { Directory, Person } from '../../src/ports.ts';

export interface TestPerson extends Partial<Person> {
  readonly password?: string;
  readonly disabled?: boolean;
  /** Nothing can be said of them. */
  readonly isUnreadable?: boolean;
}

export interface TestDirectory extends Directory {
  /** By name in lower case. */
  readonly people: Map<string, TestPerson>;
  readonly asked: string[];
  isAway: boolean;
}

/** Names count whatever their case; `person.account` says how they are spelled. */
export function testDirectory(people: Readonly<Record<string, TestPerson>>): TestDirectory {
  const held = new Map(Object.entries(people));
  const asked: string[] = [];
  const personOf = (name: string, given: TestPerson): Person => ({
    account: given.account ?? name,
    id: given.id ?? `id-of-${name}`,
    place: `uid=${name},ou=people`,
    groups: given.groups ?? [],
    passwordChanged: given.passwordChanged,
  });
  const away = { ok: false, reason: 'unavailable', detail: 'connection refused' } as const;
  const directory: TestDirectory = {
    people: held,
    asked,
    isAway: false,
    logIn(account, password) {
      asked.push(`login ${account}`);
      const name = account.toLowerCase();
      const found = held.get(name);
      if (directory.isAway) return Promise.resolve(away);
      if (found === undefined) return Promise.resolve({ ok: false, reason: 'unknown', detail: 'no entry' });
      if (found.disabled === true) return Promise.resolve({ ok: false, reason: 'disabled', detail: 'closed' });
      return Promise.resolve(
        found.password === password
          ? { ok: true, person: personOf(name, found) }
          : { ok: false, reason: 'password_wrong', detail: 'invalid credentials' },
      );
    },
    look(account) {
      asked.push(`look ${account}`);
      const name = account.toLowerCase();
      const found = held.get(name);
      if (directory.isAway) return Promise.resolve(away);
      if (found?.isUnreadable === true) return Promise.resolve({ ...away, isTheirs: true });
      if (found === undefined) return Promise.resolve({ ok: false, reason: 'unknown', detail: 'no entry' });
      if (found.disabled === true) return Promise.resolve({ ok: false, reason: 'disabled', detail: 'closed' });
      return Promise.resolve({ ok: true, person: personOf(name, found) });
    },
    health: () => ({ ok: !directory.isAway, detail: directory.isAway ? 'away' : 'there' }),
    close: () => Promise.resolve(),
  };
  return directory;
}
