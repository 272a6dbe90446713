/** Finding and reading the configuration for a command. */
import { readFileSync } from 'node:fs';
import { type Config, type Place, loadConfig } from '../config/load.ts';
import { type Problem, unplaced } from '../document/problem.ts';

export interface ConfigurationFlags {
  readonly config?: string | undefined;
  /** By dotted key. */
  readonly values?: Readonly<Record<string, string>>;
}

export type Configuration =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly isTrial: boolean;
      /** Where a setting was made. */
      readonly placeOf: (key: string) => Place;
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const defaultFile = 'portcullis.yaml';

/** Try mode: no configuration file anywhere and NODE_ENV is not `production`. */
export function readConfiguration({ config: flag, values = {} }: ConfigurationFlags = {}): Configuration {
  const { env } = process;
  const named = flag ?? env['PORTCULLIS_CONFIG'];
  const path = named ?? defaultFile;
  let file;
  try {
    file = { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (named !== undefined || !isMissing) {
      const message = `the configuration file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      return { ok: false, problems: [unplaced(path, 'unreadable-file', message)] };
    }
  }
  const isTrial = file === undefined && env['NODE_ENV'] !== 'production';
  const loaded = loadConfig({
    env,
    flags: values,
    file,
    cwd: process.cwd(),
    readSecret: (secret) => readFileSync(secret, 'utf8'),
    tryMode: isTrial,
  });
  return loaded.ok ? { ...loaded, isTrial } : loaded;
}
