/** The package that this program is part of: a folder with package.json and what is shipped beside the program. */
import { readFileSync } from 'node:fs';

/** Seen from `src/`, `build/` and `dist/` alike, as long as this file is at their top. */
export const packageRoot = new URL('../', import.meta.url);

const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8'));

export const version: string =
  typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
