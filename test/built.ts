import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Many tests drive the built program: an old one would be green for what the sources no longer do. */
export function setup(): void {
  const built = statSync(join(root, 'dist/cli.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const entries = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const newer = entries.find((name) => statSync(join(root, 'src', name)).mtimeMs > built);
  if (newer !== undefined) throw new Error(`src/${newer} is newer than dist/: run "npm run build" first`);
}
