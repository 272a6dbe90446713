/** The steps by which deploy/README.md installs the program, and the program as its unit confines it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { descendant } from '../support/container.ts';
import { digestOf } from '../support/content.ts';
import { freePort } from '../support/free-port.mjs';
import { fencesOf } from '../support/pages.ts';
import { type Program, describeWithPrograms, run, startProgram } from '../support/programs.ts';
import { type RegistryProcess, answersOk, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { basic, projectDir } from '../support/trial.ts';
import { confinement, filterPlace, readUnit } from '../support/unit.ts';

const unitFile = join(projectDir, 'deploy/systemd/portcullis.service');
const password = 'writes the software';
const inWords = 'the steps of deploy/README.md, word for word';

/** The machine's folders stay as they are: what is written to them lies in memory, and is seen in here only. */
const prelude = `
set -euo pipefail
mount -t tmpfs tmpfs /mnt
for place in usr etc var; do
  mkdir -p /mnt/$place/{upper,work}
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=/mnt/$place/upper,workdir=/mnt/$place/work" "/$place"
done
sudo() {
  if [ "$1" = -u ]; then
    setpriv --reuid "$2" --regid "$2" --init-groups env HOME=/var/lib/portcullis "\${@:3}"
  else
    "$@"
  fi
}
systemctl() { echo "systemctl $*"; }
`;

describeWithPrograms(['root', 'systemd-analyze', 'bwrap', 'python3', 'npm', 'docker-registry'], 'the unit', () => {
  let dir: string;
  let registry: RegistryProcess;
  let service: Program;
  let url: string;
  let adminUrl: string;

  /** What the script left there. */
  const result = (name: string): Promise<string> => readFile(join(dir, name), 'utf8');

  beforeAll(async () => {
    dir = await makeTempDir('systemd');
    registry = await startRegistry();
    const [port, adminPort] = [await freePort(), await freePort()];
    [url, adminUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${adminPort}`];
    await writeFile(join(dir, 'steps'), await script(registry.url, url, adminPort));
    // npm reaches its registry as it does on this machine.
    const kept = Object.entries(process.env).filter(([name]) =>
      /^(HOME|npm_config_.*|https?_proxy|no_proxy)$/i.test(name),
    );
    service = await startProgram('unshare', ['--mount', 'bash', join(dir, 'steps')], {
      env: Object.fromEntries(kept) as Record<string, string>,
      isReady: () => answersOk(`${adminUrl}/readyz`),
      readyWithinMs: 180_000,
    });
  });
  afterAll(async () => {
    await service?.stop('SIGKILL');
    await registry?.stop();
    await removeTempDir(dir);
  });

  /** The script that installs, looks, and becomes the confined service. */
  async function script(upstream: string, publicUrl: string, adminPort: number): Promise<string> {
    const [install = '', start = ''] = fencesOf('deploy/README.md')
      .filter(({ note }) => note.includes(inWords))
      .map(({ text }) => text);
    const unit = readUnit(unitFile);
    const words = await confinement(unit);
    const quoted = (each: readonly string[]): string => each.map((word) => `'${word}'`).join(' ');
    const { port } = new URL(publicUrl);
    await mkdir(join(dir, 'packed'));
    return `${prelude}
cd "${projectDir}"
${install.replace('npm ci && npm run build && npm pack', `npm pack --pack-destination "${dir}/packed"; cd "${dir}/packed"`)}
sed -i -e 's|^publicUrl: .*|publicUrl: ${publicUrl}|' -e 's|^upstream: .*|upstream: ${upstream}|' \
  -e 's|^#stateDir: .*|stateDir: /var/lib/portcullis|' -e 's|^#listen: .*|listen: 127.0.0.1:${port}|' /etc/portcullis/portcullis.yaml
printf 'admin: { listen: 127.0.0.1:${adminPort} }\\n' >> /etc/portcullis/portcullis.yaml
${start.replace(' dana ', ' dana --password-stdin ').replace(/^/, `printf '${password}' | `)}
systemd-analyze verify /etc/systemd/system/portcullis.service >"${dir}/verified" 2>&1 || echo "exit code $?" >>"${dir}/verified"
# As systemd makes it.
install -d -o portcullis -g portcullis -m ${unit.sole('StateDirectoryMode')} /var/lib/portcullis
# Where every user may read it; it is not the unit's.
install -m 644 "${projectDir}/test/support/syscall-filter.py" ${filterPlace}
confined() { (umask ${unit.sole('UMask')}; exec ${quoted(words)} "$@"); }
confined /usr/bin/portcullis serve --config /etc/portcullis/none.yaml >"${dir}/broken" 2>&1 || echo "exit code $?" >>"${dir}/broken"
confined /usr/bin/node -e '${attempts}' >"${dir}/attempts" 2>&1
umask ${unit.sole('UMask')}
exec ${quoted(words)} ${unit.sole('ExecStart')}
`;
  }

  test(inWords, () => {
    expect(service.stdout()).toContain('systemctl enable --now portcullis');
    expect(service.stdout()).toMatch(/^ok: \d+ rules/m);
  });

  test('systemd finds no fault in it', async () => expect(await result('verified')).toBe(''));

  test('its exposure is at most 1.5', async () => {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=15', unitFile];
    const { code, stdout } = await run('systemd-analyze', args);
    expect([code, /exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]]).toEqual([0, '1.3']);
  });

  test('it may not do what it does not need', async () => {
    expect(JSON.parse(await result('attempts'))).toEqual({
      ...{ chown: 'EPERM', priority: 'EPERM', write: 'EROFS', home: 0, processes: 'none but its own' },
      ...{ uid: 'an own one', tables: true },
    });
  });

  test('a broken configuration ends it with the code after which systemd does not try again', async () => {
    expect(await result('broken')).toContain(`exit code ${readUnit(unitFile).sole('RestartPreventExitStatus')}\n`);
  });

  test('people log in, push and pull', async () => {
    const authorization = basic('dana', password);
    const content = randomBytes(1_000_000);
    const digest = digestOf(content);
    expect((await fetch(`${url}/v2/`, { headers: { authorization } })).status).toBe(200);
    const token = await fetch(`${url}/token?service=${new URL(url).host}&offline_token=true`, {
      headers: { authorization },
    });
    expect(await token.json()).toMatchObject({ refresh_token: expect.any(String) });
    const begun = await fetch(`${url}/v2/sandbox/app/blobs/uploads/`, { method: 'POST', headers: { authorization } });
    const target = new URL(begun.headers.get('location') ?? '', url);
    target.searchParams.set('digest', digest);
    const type = { 'content-type': 'application/octet-stream' };
    expect((await fetch(target, { method: 'PUT', headers: { authorization, ...type }, body: content })).status).toBe(
      201,
    );
    const pulled = await fetch(`${url}/v2/sandbox/app/blobs/${digest}`, { headers: { authorization } });
    expect(Buffer.from(await pulled.arrayBuffer()).equals(content)).toBe(true);
  });

  test('it reloads at the signal of ExecReload, and leaves in order at that of a stop', async () => {
    expect(readUnit(unitFile).sole('ExecReload')).toBe('/bin/kill -HUP $MAINPID');
    const pid = await descendant(service.pid, 'node');
    // Where bubblewrap itself lives, the folder can be written to.
    await writeFile(
      `/proc/${service.pid}/root/etc/portcullis/policies/more.yaml`,
      'groups: { more: { description: a } }\n',
    );
    process.kill(pid, 'SIGHUP');
    await service.until(() => /"event":"policy"/.test(service.stdout()), 'it has read its policies again');
    expect(await answersOk(`${adminUrl}/readyz`)).toBe(true);
    process.kill(pid, 'SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0 });
    expect(service.stdout()).not.toMatch(/"level":"(warn|error)"/);
  });
});

/** What the program of a weakness would try; run inside. */
const attempts = `
const fs = require("node:fs"), os = require("node:os");
const code = (act) => { try { act(); return "done"; } catch (error) { return error.code; } };
fs.writeFileSync("own", "");
console.log(JSON.stringify({
  chown: code(() => fs.chownSync("own", process.getuid(), process.getgid())),
  priority: code(() => os.setPriority(19)) === "done" ? "done" : "EPERM",
  write: code(() => fs.writeFileSync("/etc/portcullis/policies/mine.yaml", "")),
  home: fs.readdirSync("/root").length,
  processes: fs.readdirSync("/proc").filter((name) => Number(name) > 3).length === 0 ? "none but its own" : "others",
  uid: process.getuid() === 0 ? "root" : "an own one",
  tables: fs.readFileSync("/proc/net/tcp", "utf8").includes("local_address"),
}));
fs.unlinkSync("own");
`;
