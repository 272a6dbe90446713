/**
 * `npm run bench:edit [-- --compare REF]`: what `check` and `user add` cost where there are 5,000 users and 1,000 rules, in
 * processor time (user and system). With REF also by a build of that commit, made in a worktree for the time of the run and
 * measured in turns with this one. Prints figures, asserts nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const users = 5000;
const rules = 1000;
const teams = 100;
const rounds = 5;
const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({ options: { compare: { type: 'string' } } });
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const other = join(dir, 'other');
const policies = join(dir, 'policies');
const file = join(policies, 'policy.yaml');

function policyText() {
  const hash = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;
  const lines = ['groups:'];
  for (let n = 0; n < teams; n++) lines.push(`  team${n}: {}`);
  lines.push('users:');
  for (let n = 0; n < users; n++) {
    lines.push(`  user${n}:`, `    password: '${hash}'`, `    groups: [team${n % teams}, team${(n + 1) % teams}]`);
  }
  lines.push('rules:');
  for (let n = 0; n < rules; n++) {
    lines.push(`  - name: rule ${n}`, `    subjects: [group:team${n % teams}]`);
    lines.push(`    repositories: ['team${n % teams}/app${n}/**']`, '    actions: [pull, push]');
  }
  return `${lines.join('\n')}\n`;
}

/** Written by the measured process itself as it ends: what children used is told nowhere else. */
const report = `data:text/javascript,${encodeURIComponent(
  `process.on('exit',()=>{const{user,system}=process.cpuUsage();process.stderr.write('\\ncpu '+(user+system))})`,
)}`;

function cpuOf(build, args) {
  writeFileSync(file, policyText());
  return new Promise((resolve, reject) => {
    const cli = join(build, 'dist/cli.js');
    const child = spawn(process.execPath, ['--import', report, cli, ...args, '--policies', policies], { cwd: dir });
    let said = '';
    child.stdout.resume();
    child.stderr.on('data', (part) => (said += part));
    child.on('error', reject);
    child.on('close', (code) => {
      const used = /\ncpu (\d+)$/.exec(said);
      if (code !== 0 || used === null) reject(new Error(`${args.join(' ')} exits ${code}: ${said}`));
      else resolve(Number(used[1]) / 1e6);
    });
    child.stdin.end('correct horse');
  });
}

const verbs = { check: ['check'], 'user add': ['user', 'add', 'dana', '--groups', 'team1', '--password-stdin'] };

try {
  mkdirSync(policies);
  const builds = [root];
  if (values.compare !== undefined) {
    execFileSync('git', ['worktree', 'add', '--detach', other, values.compare], { cwd: root, stdio: 'ignore' });
    symlinkSync(join(root, 'node_modules'), join(other, 'node_modules'));
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', other], { stdio: 'inherit' });
    builds.push(other);
  }
  console.log(
    `node ${process.version}, ${users} users, ${rules} rules, ${(policyText().length / 1024).toFixed(0)} KiB`,
  );
  for (const [verb, args] of Object.entries(verbs)) {
    const seconds = builds.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [index, build] of builds.entries()) seconds[index].push(await cpuOf(build, args));
    }
    const [own, theirs] = seconds.map((all) => all.sort((left, right) => left - right)[Math.floor(rounds / 2)]);
    const beside =
      theirs === undefined ? '' : `   ${values.compare} ${theirs.toFixed(2)} s   ratio ${(own / theirs).toFixed(2)}`;
    console.log(`  ${verb.padEnd(8)} ${own.toFixed(2)} s of processor time${beside}`);
  }
} finally {
  if (values.compare !== undefined) {
    try {
      execFileSync('git', ['worktree', 'remove', '--force', other], { cwd: root, stdio: 'ignore' });
    } catch {
      // It was never made.
    }
  }
  rmSync(dir, { recursive: true, force: true });
}
