/** The built gateway, as in production, with one account that may pull, push and delete in the suites' repositories. */
import { mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.mjs';
import { runProgram, startServer } from './programs.mjs';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export async function startGateway(dir, log, upstream, account, repositories) {
  await mkdir(join(dir, 'policies'), { recursive: true });
  const hash = await passwordHash(dir, account.password);
  const policy = {
    users: { [account.name]: { password: hash } },
    rules: [
      {
        name: 'the-suites-own-their-repositories',
        subjects: [`user:${account.name}`],
        repositories,
        actions: ['pull', 'push', 'delete'],
      },
    ],
  };
  await writeFile(join(dir, 'policies', 'policy.yaml'), JSON.stringify(policy));
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer(process.execPath, [cli, 'serve'], {
    cwd: dir,
    env: {
      NODE_ENV: 'production',
      HOME: dir,
      PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
      PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      PORTCULLIS_PUBLIC_URL: url,
      PORTCULLIS_UPSTREAM: upstream,
      PORTCULLIS_POLICIES: join(dir, 'policies'),
      PORTCULLIS_STATE_DIR: join(dir, 'state'),
    },
    output: log,
    readyUrl: `http://127.0.0.1:${adminPort}/readyz`,
  });
  return { url, stop: server.stop };
}

async function passwordHash(dir, password) {
  await writeFile(join(dir, 'password'), password);
  const output = join(dir, 'hash');
  const { code } = await runProgram(process.execPath, [cli, 'hash', '--password-stdin'], {
    input: join(dir, 'password'),
    output,
    timeoutMs: 30_000,
  });
  const hash = readFileSync(output, 'utf8').trim();
  if (code !== 0) throw new Error(`portcullis hash failed: ${hash}`);
  return hash;
}
