/** The style sheet, the script and the icon of the page, beside this file as beside what it is bundled into. */
import { readFileSync } from 'node:fs';

export interface Asset {
  readonly name: string;
  readonly type: string;
  readonly content: Buffer;
}

const types = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

export type AssetName = keyof typeof types;

/** Read once, when the page is built; throws where the installation lacks one. */
export function readPageAssets(): readonly (Asset & { readonly name: AssetName })[] {
  return (Object.keys(types) as AssetName[]).map((name) => ({
    name,
    type: types[name],
    content: readFileSync(new URL(`./assets/${name}`, import.meta.url)),
  }));
}
