/**
 * A unit of systemd, run as far as that goes without systemd: its user, what it sees and may write, and its system calls,
 * by bubblewrap and libseccomp. Limits of memory and tasks are left out, and so is what only concerns devices and the clock.
 */
import { readFileSync } from 'node:fs';
import { run } from './programs.ts';

export interface Unit {
  /** Every value of a key, in order. */
  readonly all: (key: string) => readonly string[];
  /** Its only one. */
  readonly sole: (key: string) => string;
}

export function readUnit(path: string): Unit {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => /^([A-Za-z]+)=(.*)$/.exec(line) ?? [])
    .filter((_part, index) => index % 3 !== 0);
  const all = (key: string): readonly string[] => lines.filter((_value, at) => at % 2 === 1 && lines[at - 1] === key);
  const sole = (key: string): string => {
    const [value, ...more] = all(key);
    if (value === undefined || more.length > 0) throw new Error(`${more.length + 1} × ${key} in ${path}`);
    return value;
  };
  return { all, sole };
}

/** The names of the system calls that `SystemCallFilter` leaves, sets spelled out. */
export async function allowedCalls(unit: Unit): Promise<readonly string[]> {
  const sets = await callSets();
  const names = (word: string): readonly string[] =>
    word.startsWith('@') ? (sets.get(word) ?? []).flatMap(names) : [word];
  const allowed = new Set<string>(names('@default'));
  for (const value of unit.all('SystemCallFilter')) {
    const words = value.replace('~', '').split(' ').flatMap(names);
    for (const name of words) {
      if (value.startsWith('~')) allowed.delete(name);
      else allowed.add(name);
    }
  }
  return [...allowed];
}

async function callSets(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { stdout } = await run('systemd-analyze', ['syscall-filter', '--no-pager']);
  const sets = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of stdout.split('\n')) {
    if (line.startsWith('@')) sets.set(line.trim(), (current = []));
    else if (/^ {4}[@a-z_]/.test(line)) current.push(line.trim());
  }
  return sets;
}

const families: Readonly<Record<string, number>> = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10 };

/** Where `confinement` finds syscall-filter.py. */
export const filterPlace = '/usr/lib/syscall-filter.py';

/** The words of a shell in front of a command, which then runs as the unit says. Throws for a unit that says it otherwise. */
export async function confinement(unit: Unit): Promise<readonly string[]> {
  const expected = {
    ...{ ProtectSystem: 'strict', ProtectHome: 'yes', PrivateTmp: 'yes', PrivateDevices: 'yes', PrivateUsers: 'yes' },
    ...{ ProtectProc: 'invisible', RestrictNamespaces: 'yes', NoNewPrivileges: 'yes', CapabilityBoundingSet: '' },
  };
  for (const [key, value] of Object.entries(expected))
    if (unit.sole(key) !== value) throw new Error(`${key}=${unit.sole(key)} is not known here`);
  const user = unit.sole('User');
  const state = `/var/lib/${unit.sole('StateDirectory')}`;
  const terms = {
    allow: await allowedCalls(unit),
    families: unit
      .sole('RestrictAddressFamilies')
      .split(' ')
      .map((name) => families[name]),
    namespaces: false,
  };
  return [
    ...['setpriv', '--reuid', user, '--regid', user, '--init-groups', '--no-new-privs', 'bwrap', '--die-with-parent'],
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
    ...['--tmpfs', '/tmp', '--tmpfs', '/var/tmp', '--tmpfs', '/root', '--tmpfs', '/home', '--tmpfs', '/run/user'],
    ...['--bind', state, state, '--chdir', unit.sole('WorkingDirectory'), '--clearenv'],
    ...unit
      .all('Environment')
      .flatMap((line) => line.split(' '))
      .flatMap((pair) => ['--setenv', ...pair.split(/=(.*)/, 2)]),
    ...['--setenv', 'PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'],
    ...['/usr/bin/python3', filterPlace, JSON.stringify(terms)],
  ];
}
