/** The style sheet, the script and the icon under names that change with their content. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Asset, AssetName } from '../../page-assets.ts';
import type { WholeAnswer } from '../front/respond.ts';
import { assetHeaders } from './headers.ts';

export interface Assets {
  /** Where each is found. */
  readonly paths: Readonly<Record<AssetName, string>>;
  /** undefined for a path where none is. One by the hash of another version is what it is here, and not to be kept. */
  answer(path: string, takesGzip: boolean): WholeAnswer | undefined;
}

/** Hashed and compressed once. */
export function createAssets(
  assets: readonly (Asset & { readonly name: AssetName })[],
  { endsTls }: { readonly endsTls: boolean },
): Assets {
  const named = assets.map((asset) => ({ ...asset, path: pathOf(asset), zipped: gzipSync(asset.content) }));
  const byPlace = new Map(named.map((asset) => [placeOf(asset.path), asset]));
  return {
    paths: Object.fromEntries(named.map(({ name, path }) => [name, path])) as Record<AssetName, string>,
    answer(path, takesGzip) {
      const asset = byPlace.get(placeOf(path));
      if (asset === undefined) return undefined;
      // Of a page that a gateway of another version drew, while one is exchanged for the other.
      const isOther = path !== asset.path;
      const headers = { ...assetHeaders(asset.type, endsTls), ...(isOther ? { 'Cache-Control': 'no-store' } : {}) };
      if (!takesGzip) return { status: 200, headers, body: asset.content };
      return { status: 200, headers: { ...headers, 'Content-Encoding': 'gzip' }, body: asset.zipped };
    },
  };
}

function pathOf({ name, content }: Asset): string {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return `/ui/assets/${name.replace('.', `.${hash}.`)}`;
}

/** Without the hash, whichever it is; no path holds a line break. */
function placeOf(path: string): string {
  return path.replace(/^(\/ui\/assets\/\w+\.)[0-9a-f]{16}(\.\w+)$/, '$1\n$2');
}
