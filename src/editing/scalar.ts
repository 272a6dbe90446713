/** Texts as YAML scalars that every reader takes for text, YAML 1.1 ones included. */

// What YAML 1.1 or 1.2 reads as something else than text, among the texts that are names (policy/model.ts).
const words = /^(?:y|n|yes|no|on|off|true|false|null)$/i;
const plain = /^[A-Za-z](?:[\w.+@-]*[A-Za-z0-9])?$/;

/** A name, in quotes where it would otherwise be a number, a boolean or null. */
export function nameInYaml(name: string): string {
  return plain.test(name) && !words.test(name) ? name : quoted(name);
}

/** Any text without control characters. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `[a, b]` of names. */
export function nameList(names: readonly string[]): string {
  return `[${names.map(nameInYaml).join(', ')}]`;
}
