/** YAML as plain data, read strictly: no aliases, tags or duplicate keys, and every value knows its place. */
import { type PlainReading, readPlainYaml } from './plain-yaml.ts';
import type { Problem } from './problem.ts';
import { type Planted, type Position, Findings, positionsIn, readWholeYaml } from './whole-yaml.ts';

export type { Position };

export type Path = readonly (string | number)[];

/** A YAML document whose every value knows where it was written. */
export interface YamlDocument {
  readonly file: string;
  /** Plain data: objects that inherit nothing, arrays, strings, numbers, booleans and null. Null when the document is empty. */
  readonly value: unknown;
  /** Where the value at `path` starts; when nothing is there, where its nearest existing parent starts. */
  at(path: Path): Position;
  /** Where the key at the end of `path` starts; for a list entry, where the entry starts. */
  keyAt(path: Path): Position;
  /** What the quick reader made of the text, where it could. */
  readonly plain?: PlainReading | undefined;
}

export type YamlReading =
  | { readonly ok: true; readonly document: YamlDocument }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const maxBytes = 4 * 1024 * 1024;

// Controls other than tab and line ends (YAML 1.2.2 §5.1), lone CR and the Unicode line ends (they hide text from a
// reviewer, whose editor shows other lines than the parser reads) and bidirectional marks ("Trojan Source",
// CVE-2021-42574).
const refusedCharacter =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)|\p{Surrogate}/gu;

/** Nearly no file has one, and looking for it is quick. */
const unusualCharacter = /[^\n\x20-\x7e]/;

/**
 * Reads one strict YAML 1.2 document (core schema). What makes YAML surprising is refused: warnings, duplicate and
 * non-string keys, anchors, aliases, tags, directives, merge keys, further documents, and nesting or size beyond reason.
 * Never throws on any text.
 */
export function readYaml(file: string, text: string): YamlReading {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const found = new Findings(file, positionsIn(source));
  if (source.length > maxBytes || Buffer.byteLength(source) > maxBytes) {
    found.add(undefined, 'too-large', 'the file is larger than 4 MiB', 'split it into several files');
    return found.reading();
  }
  findRefusedCharacters(source, found);
  if (found.any()) return found.reading();
  const plain = readPlainYaml(source);
  const root = plain?.root ?? readWholeYaml(source, found);
  if (root === undefined) return found.reading();
  // Its offsets are those of the text only where no byte order mark was in front.
  const document = documentOf(file, root, found.locate);
  return { ok: true, document: source === text ? { ...document, plain } : document };
}

function documentOf(file: string, root: Planted, locate: (offset: number) => Position): YamlDocument {
  return {
    file,
    value: root.value,
    at: (path) => locate(nearestPlanted(root, path).offset),
    keyAt: (path) => locate(nearestPlanted(root, path).keyOffset),
  };
}

function nearestPlanted(root: Planted, path: Path): Planted {
  let here = root;
  for (const step of path) {
    const next: Planted | undefined = childOf(here, step);
    if (next === undefined) break;
    here = next;
  }
  return here;
}

function childOf({ children }: Planted, step: string | number): Planted | undefined {
  if (children === undefined) return undefined;
  if (isList(children)) return typeof step === 'number' ? children[step] : undefined;
  return children[step];
}

function isList(children: NonNullable<Planted['children']>): children is readonly Planted[] {
  return Array.isArray(children);
}

function findRefusedCharacters(source: string, found: Findings): void {
  if (!unusualCharacter.test(source)) return;
  for (const match of source.matchAll(refusedCharacter)) {
    if (found.full()) return;
    found.add(match.index, 'bad-character', `${characterName(match[0])} is not allowed`, 'remove the character');
  }
}

function characterName(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  const name = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  if (character === '\r') return 'a carriage return without a line feed';
  return point >= 0x2028 ? `the invisible character ${name}` : `the control character ${name}`;
}
