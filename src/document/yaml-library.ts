/** The library that reads any YAML: it takes longer to load than most files to read, and few need it. */
import { createRequire } from 'node:module';

type Library = typeof import('yaml');

let library: Library | undefined;

/** Loaded at the first call, then the same. */
export function yamlLibrary(): Library {
  return (library ??= createRequire(import.meta.url)('yaml') as Library);
}
