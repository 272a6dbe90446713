/** Where people outside the policy files are known: what is opened for it, and how each is shown. */
import type { LoginSource } from '../policy/model.ts';
import type { Directory } from '../ports.ts';
import type { Part } from './readiness.ts';

/** A directory, and how often it is asked. */
export interface OpenDirectory {
  readonly source: LoginSource;
  readonly directory: Directory;
  readonly refreshMs: number;
  readonly staleForMs: number;
}

/** In the order in which they are asked whose a name is. */
export interface OpenDirectories {
  readonly opened: readonly OpenDirectory[];
  readonly parts: readonly Part[];
  /** As metrics show them. */
  readonly sources: () => readonly { readonly name: string; readonly isUp: boolean }[];
  close(): Promise<void>;
}

/** Connections are made when they are needed: a directory that is away at the start is one that is away. */
export function openDirectories(directories: readonly OpenDirectory[]): OpenDirectories {
  return {
    opened: directories,
    parts: directories.map(({ source, directory }) => ({ name: `logins.${source}`, health: () => directory.health() })),
    sources: () => directories.map(({ source, directory }) => ({ name: source, isUp: directory.health().ok })),
    close: async () => void (await Promise.all(directories.map(({ directory }) => directory.close()))),
  };
}
