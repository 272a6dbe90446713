/** Where OpenLDAP's server comes from: the machine, or Debian's packages unpacked without root into the user's cache. */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { findProgram, run, unpackedPrograms } from './programs.ts';

/** On Debian 12. Where a name is another one, nothing is unpacked, and what needs it is skipped. */
const packages = ['slapd', 'libldap-2.5-0', 'libodbc2', 'libltdl7', 'libwrap0', 'libsasl2-2'];

export interface SlapdPlace {
  readonly modules: string;
  readonly schema: string;
}

const place = dirname(unpackedPrograms);
const unpacked = join(place, 'slapd');

/** Makes `slapd` a program that `findProgram` finds, where it is not one and can be. */
export async function provideSlapd(): Promise<void> {
  if (findProgram('slapd') !== undefined || findProgram('apt-get') === undefined || findProgram('dpkg') === undefined)
    return;
  await mkdir(place, { recursive: true });
  const unfinished = await mkdtemp(join(place, 'unfinished-'));
  try {
    const downloaded = await run('apt-get', ['download', ...packages], { cwd: unfinished, timeoutMs: 60_000 });
    if (downloaded.code !== 0) return;
    for (const archive of (await readdir(unfinished)).filter((name) => name.endsWith('.deb'))) {
      const { code } = await run('dpkg', ['-x', archive, 'root'], { cwd: unfinished });
      if (code !== 0) return;
    }
    // What another run has unpacked meanwhile is as good.
    await rename(join(unfinished, 'root'), unpacked).catch(() => undefined);
    await mkdir(unpackedPrograms, { recursive: true });
    const script = join(unfinished, 'slapd');
    await writeFile(
      script,
      `#!/bin/sh\nLD_LIBRARY_PATH='${await libraries()}' exec '${unpacked}/usr/sbin/slapd' "$@"\n`,
    );
    await chmod(script, 0o755);
    await rename(script, join(unpackedPrograms, 'slapd'));
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Debian keeps libraries below the name of the architecture. */
async function libraries(): Promise<string> {
  const folder = join(unpacked, 'usr/lib');
  const names = await readdir(folder);
  return join(folder, names.find((name) => name.includes('-linux-')) ?? '');
}

/** Of the server that `findProgram` finds. */
export function slapdPlace(): SlapdPlace {
  const isUnpacked = findProgram('slapd')?.startsWith(unpackedPrograms) === true;
  const root = isUnpacked ? unpacked : '/';
  const schema = ['etc/ldap/schema', 'etc/openldap/schema'].map((path) => join(root, path)).find(existsSync);
  const modules = ['usr/lib/ldap', 'usr/lib64/openldap', 'usr/lib/openldap']
    .map((path) => join(root, path))
    .find(existsSync);
  if (schema === undefined || modules === undefined)
    throw new Error(
      `the schema or the modules of ${basename(findProgram('slapd') ?? 'slapd')} are not where they are looked for`,
    );
  return { schema, modules };
}
