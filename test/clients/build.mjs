/**
 * `npm run clients`: builds the registry clients that come as Go modules, at these versions, and prints the folder they
 * are in as its last line. They stay in a cache of the user's, outside of the tree: a second run builds nothing.
 *
 * Exit code 0: all are there; 2: not built, and why.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { NotRun, findProgram, runProgram } from '../conformance/programs.mjs';

/** Go checks every module against the checksum database, as it does by itself. */
const clients = {
  crane: 'github.com/google/go-containerregistry/cmd/crane@v0.22.1',
  oras: 'oras.land/oras/cmd/oras@v1.3.6',
  regctl: 'github.com/regclient/regclient/cmd/regctl@v0.11.7',
  regsync: 'github.com/regclient/regclient/cmd/regsync@v0.11.7',
  helm: 'helm.sh/helm/v4/cmd/helm@v4.3.1',
  // Its `--local` is the client half of containerd 2; Debian's daemon keeps what it pulls.
  ctr2: 'github.com/containerd/containerd/v2/cmd/ctr@v2.4.2',
};

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'portcullis-clients');
const folder = join(cache, createHash('sha256').update(JSON.stringify(clients)).digest('hex').slice(0, 12));

try {
  if (!existsSync(folder)) await build();
  console.log(folder);
} catch (error) {
  if (!(error instanceof NotRun)) throw error;
  console.log(`clients: not built: ${error.message}`);
  process.exitCode = 2;
}

/** Complete or not there: what another run has built meanwhile is as good. */
async function build() {
  const go = process.env.GO ?? findProgram('go');
  if (go === undefined || !existsSync(go))
    throw new NotRun('there is no Go on PATH (1.26 or newer; the variable GO may name it)');
  mkdirSync(cache, { recursive: true });
  const unfinished = mkdtempSync(join(cache, 'unfinished-'));
  process.on('exit', () => rmSync(unfinished, { recursive: true, force: true }));
  const output = join(unfinished, 'go.log');
  const env = { ...process.env, CGO_ENABLED: '0', GOBIN: join(unfinished, 'bin'), GOFLAGS: '-trimpath', GOWORK: 'off' };
  for (const [name, client] of Object.entries(clients)) {
    const begun = performance.now();
    const args = ['install', '-ldflags=-s -w', client];
    const { code } = await runProgram(go, args, { cwd: unfinished, env, output, timeoutMs: 20 * 60_000 });
    if (code !== 0) {
      const log = readFileSync(output, 'utf8').trim().split('\n').slice(-5).join('\n');
      throw new NotRun(`go install ${client} failed:\n${log}`);
    }
    const installed = join(unfinished, 'bin', basename(client.split('@')[0]));
    renameSync(installed, join(unfinished, 'bin', name));
    console.log(`clients: ${client} built in ${Math.round((performance.now() - begun) / 1000)} s`);
  }
  try {
    renameSync(join(unfinished, 'bin'), folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}
