/**
 * `node deploy/image/notices.mjs`: the licences of all that dist/ and node_modules/ hold of others, as one text on standard
 * output. Every package of the lock file that is no development's, by its licence file. Exit code 1 where one names none.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const line = '-'.repeat(80);

for (const [path, { dev, optional, version, license }] of Object.entries(packages)) {
  const folder = join(root, path);
  if (path === '' || dev === true || (optional === true && !existsSync(folder))) continue;
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  if (license === undefined && files.length === 0) {
    console.error(`${name}@${version} names no licence`);
    process.exitCode = 1;
  }
  console.log(`${line}\n${name} ${version}: ${license ?? 'see below'}\n`);
  for (const file of files.sort()) console.log(readFileSync(join(folder, file), 'utf8').trim() + '\n');
}
