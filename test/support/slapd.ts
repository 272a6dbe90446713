/** A real OpenLDAP server with people and groups in it, for one test file. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Attribute, Change, Client } from 'ldapts';
import { makeAuthority } from './certificate.ts';
import { freePort } from './free-port.mjs';
import { pauseProcess } from './pause.ts';
import { type Program, describeWithPrograms, run, startProgram } from './programs.ts';
import { provideSlapd, slapdPlace } from './slapd-program.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

await provideSlapd();

/** Skipped with the reason where there is no slapd and none can be unpacked. */
export function describeWithSlapd(title: string, body: () => void, needs: readonly string[] = []): void {
  describeWithPrograms(['slapd', 'openssl', ...needs], title, body);
}

export const base = 'dc=example,dc=com';
export const people = `ou=people,${base}`;
export const groups = `ou=groups,${base}`;
export const service = { dn: `cn=portcullis,ou=services,${base}`, password: 'service secret' };
/** Of everybody who has one. */
export const password = 'correct horse';

export interface Slapd {
  readonly url: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly secureUrl: string;
  readonly securePort: number;
  readonly pid: number;
  /** File of the authority of its certificate. */
  readonly ca: string;
  readonly dir: string;
  /** What it wrote about operations so far, those that are answered all of them. */
  readonly log: () => Promise<string>;
  /** Filters of all searches so far, as it writes them. */
  readonly filters: () => Promise<readonly string[]>;
  /** Binds so far: whose. */
  readonly binds: () => Promise<readonly string[]>;
  /** As the administrator of the directory. */
  readonly admin: <T>(change: (client: Client) => Promise<T>) => Promise<T>;
  readonly setMembers: (group: string, members: readonly string[]) => Promise<void>;
  readonly set: (dn: string, attribute: string, values: readonly string[]) => Promise<void>;
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  /** Again on the same ports, with what it holds. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const root = { dn: `cn=admin,${base}`, password: 'root' };

export interface SlapdOptions {
  /** Entries beside the usual ones, in LDIF. */
  readonly ldif?: string;
  /** Lines of slapd.conf before the other rules of access. */
  readonly access?: string;
  /** Lines of slapd.conf after those of the database. */
  readonly settings?: string;
}

export async function startSlapd({ ldif = '', access = '', settings = '' }: SlapdOptions = {}): Promise<Slapd> {
  const dir = await makeTempDir('slapd');
  const [port, securePort] = [await freePort(), await freePort()];
  const { ca, ...certificate } = await makeAuthority(dir);
  await mkdir(join(dir, 'data'));
  const config = join(dir, 'slapd.conf');
  await writeFile(config, configuration(dir, certificate, { access, settings }));
  await writeFile(join(dir, 'entries.ldif'), `${entries}\n${ldif}`);
  const filled = await run('slapd', ['-T', 'add', '-f', config, '-l', join(dir, 'entries.ldif')]);
  if (filled.code !== 0) throw new Error(`slapadd: ${filled.stderr}`);
  const addresses = `ldap://127.0.0.1:${port} ldaps://127.0.0.1:${securePort}`;
  let earlier = '';
  const start = (): Promise<Program> =>
    startProgram('slapd', ['-f', config, '-h', addresses, '-d', 'stats'], { isReady: () => accepts(port) });
  let program = await start();
  const url = `ldap://127.0.0.1:${port}`;
  const admin = async <T>(change: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ url, timeout: 5000 });
    try {
      await client.bind(root.dn, root.password);
      return await change(client);
    } finally {
      await client.unbind();
    }
  };
  const log = async (): Promise<string> => {
    const marker = `settled-${randomUUID()}`;
    await admin((client) => client.search(base, { scope: 'base', filter: `(cn=${marker})` }));
    await program.until(() => program.stderr().includes(`${marker})"`), 'its log was written');
    return (earlier + program.stderr()).replaceAll(/^.*(?:settled-|conn=\d+ op=0 BIND dn="cn=admin,).*\n/gm, '');
  };
  const set: Slapd['set'] = (dn, type, values) =>
    admin((client) =>
      client.modify(
        dn,
        new Change({ operation: 'replace', modification: new Attribute({ type, values: [...values] }) }),
      ),
    );
  return {
    ...{ url, port, securePort, ca, dir, log, admin, set },
    secureUrl: `ldaps://127.0.0.1:${securePort}`,
    get pid() {
      return program.pid;
    },
    filters: async () => [...(await log()).matchAll(/ SRCH base=.* filter="(.*)"$/gm)].map(([, filter = '']) => filter),
    binds: async () => [...(await log()).matchAll(/ BIND dn="(.*)" method=/gm)].map(([, dn = '']) => dn),
    setMembers: (group, members) => set(`cn=${group},${groups}`, 'member', members),
    pause: () => pauseProcess(program.pid),
    resume: () => void process.kill(program.pid, 'SIGCONT'),
    kill: async () => void (await program.stop('SIGKILL')),
    async restart() {
      await program.stop('SIGKILL');
      earlier += program.stderr();
      program = await start();
    },
    async stop() {
      process.kill(program.pid, 0);
      await program.stop('SIGKILL');
      await removeTempDir(dir);
    },
  };
}

function configuration(
  dir: string,
  { cert, key }: { readonly cert: string; readonly key: string },
  { access, settings }: { readonly access: string; readonly settings: string },
): string {
  const { modules, schema } = slapdPlace();
  return `
${['core', 'cosine', 'inetorgperson', 'nis', 'msuser'].map((name) => `include ${schema}/${name}.schema`).join('\n')}
modulepath ${modules}
${['back_mdb', 'back_sock', 'memberof', 'ppolicy'].map((name) => `moduleload ${name}`).join('\n')}
pidfile ${dir}/slapd.pid
TLSCertificateFile ${cert}
TLSCertificateKeyFile ${key}
TLSVerifyClient never
database mdb
suffix "${base}"
rootdn "${root.dn}"
rootpw ${root.password}
directory ${dir}/data
maxsize 16777216
dbnosync
index objectClass,uid,member,memberUid eq
overlay memberof
overlay ppolicy
${access}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${service.dn}" read by anonymous auth by * none
${settings}
`;
}

/** slapd takes a password in the clear as it is. */
const person = (dn: string, more: string, secret = `userPassword: ${password}`): string => `
dn: ${dn}
objectClass: inetOrgPerson
sn: somebody
${secret}
${more}
`;

const group = (name: string, ...members: readonly string[]): string => `
dn: cn=${name},${groups}
objectClass: groupOfNames
cn: ${name}
${members.map((member) => `member: ${member}`).join('\n')}
`;

/** A distinguished name with a comma, a plus sign, quotes, and a letter beyond ASCII. */
export const oddDn = `cn=M\\C3\\BCller\\, Ute \\22U\\22+uid=ute,${people}`;

const entries = `
dn: ${base}
objectClass: domain
dc: example

dn: ${people}
objectClass: organizationalUnit
ou: people

dn: ${groups}
objectClass: organizationalUnit
ou: groups

dn: ou=services,${base}
objectClass: organizationalUnit
ou: services

dn: ${service.dn}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: portcullis
userPassword: ${service.password}
${person(`uid=dana,${people}`, 'uid: dana\ncn: Dana Doe\nmail: dana@example.com')}
${person(`uid=rita,${people}`, 'uid: rita\ncn: Rita Roe')}
${person(`uid=*,${people}`, 'uid: *\ncn: Star', 'userPassword: another secret')}
${person(`uid=nopass,${people}`, 'uid: nopass\ncn: Nobody', 'description: has no password')}
${person(`uid=twin,${people}`, 'uid: twin\ncn: First')}
${person(`cn=Second,${people}`, 'uid: twin\ncn: Second')}
${person(`uid=gone,${people}`, 'uid: gone\ncn: Gone\npwdAccountLockedTime: 000001010000Z')}
${person(oddDn, `cn:: ${Buffer.from('Müller, Ute "U"').toString('base64')}\nuid: ute`)}
${group('developers', `uid=dana,${people}`)}
${group('testers', `uid=rita,${people}`, oddDn)}
${group('staff', `cn=developers,${groups}`, `cn=testers,${groups}`)}
${group('everybody', `cn=staff,${groups}`, `cn=everybody,${groups}`)}

dn: cn=unix,${groups}
objectClass: posixGroup
cn: unix
gidNumber: 100
memberUid: dana
`;

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
