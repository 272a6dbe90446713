/** What an import makes of a foreign file. */
import type { Problem } from '../document/problem.ts';
import { namePattern } from '../policy/model.ts';

export interface Imported {
  /** A policy file, valid whatever was left out. */
  readonly text: string;
  /** What could not be taken over, each with what to do about it; nothing in `text` gives more because of it. */
  readonly skipped: readonly Problem[];
}

// YAML keys that `readYaml` refuses, among the names that are otherwise fine.
const reserved: ReadonlySet<string> = new Set(['constructor', 'prototype']);

/** Whether a policy file may hold an account of that name. */
export function isAccountName(name: string): boolean {
  return namePattern.test(name) && !reserved.has(name);
}

/** Foreign text inside a YAML comment: one line of printable ASCII, whatever it held. */
export function inComment(value: unknown): string {
  return (JSON.stringify(value) ?? '').replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
