/** Readings of the texts that one command goes back to: a file is judged, searched, changed and compared. */
import { type YamlReading, readYaml } from '../document/yaml.ts';

/** Characters of all remembered texts: as many as one file may have. */
const mostRemembered = 4 * 1024 * 1024;
const remembered = new Map<string, YamlReading & { readonly ok: true }>();

/** As `readYaml`; the last texts that were read are not read again. */
export function readOnce(file: string, text: string): YamlReading {
  const known = remembered.get(text);
  if (known !== undefined) return { ok: true, document: { ...known.document, file } };
  const reading = readYaml(file, text);
  if (!reading.ok) return reading;
  remembered.set(text, reading);
  let length = 0;
  for (const each of [...remembered.keys()].reverse()) {
    length += each.length;
    if (length > mostRemembered) remembered.delete(each);
  }
  return reading;
}
