/**
 * What `tsc` built and the libraries it needs, as a few files: a program of eight hundred files spends twice as long on
 * loading them. Libraries with compiled parts stay outside, and so does YAML, which few runs need.
 */
import { chmodSync, cpSync } from 'node:fs';
import { build } from 'rolldown';

await build({
  input: { cli: 'build/cli.js', 'policy-worker': 'build/adapters/files/policy-worker.js' },
  platform: 'node',
  external: ['argon2', 'bcrypt', 'yaml'],
  output: { dir: 'dist', cleanDir: true },
});
cpSync('src/assets', 'dist/assets', { recursive: true });
chmodSync('dist/cli.js', 0o755);
