/** Images as people name them to docker: `[HOST/]REPOSITORY[:TAG][@DIGEST]`. */
import { type Digest, type RepositoryName, type Tag, parseDigest, parseRepositoryName, parseTag } from './reference.ts';

export interface ImageName {
  /** `name`, `name:port` or `[address]:port`, as written. */
  readonly host: string | undefined;
  readonly repository: RepositoryName;
  readonly tag: Tag | undefined;
  readonly digest: Digest | undefined;
}

/**
 * The first part is a host where docker takes it for one (a dot, a colon, a capital letter, `localhost`) or where it is
 * `gateway`. `problem`: in words, for whoever wrote the name.
 */
export function parseImageName(text: string, gateway?: string): ImageName | { readonly problem: string } {
  if (/^[a-z]+:\/\//i.test(text)) return { problem: 'leave out what stands before the host, as docker does' };
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isHost = first !== '' && (first === gateway || looksLikeHost(first));
  if (first.includes('@')) return { problem: 'a login does not belong into a name' };
  if (isHost && !isHostAndPort(first)) return { problem: `${JSON.stringify(first)} is no host` };
  const rest = isHost ? text.slice(slash + 1) : text;

  const [named = '', digestText, more] = rest.split('@');
  if (more !== undefined) return { problem: 'there is more than one @ in it' };
  const digest = digestText === undefined ? undefined : parseDigest(digestText);
  if (digestText !== undefined && digest === undefined)
    return { problem: 'what stands behind @ is no digest, such as sha256: and 64 hexadecimal digits' };

  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon === -1 ? undefined : parseTag(named.slice(colon + 1));
  if (colon !== -1 && tag === undefined)
    return { problem: 'what stands behind the colon is no tag: letters, digits, . _ -, at most 128' };
  const repository = parseRepositoryName(colon === -1 ? named : named.slice(0, colon));
  if (repository === undefined)
    return { problem: 'it names no repository, such as integration/app: lower-case letters, digits, . _ - and /' };
  return { host: isHost ? first : undefined, repository, tag, digest };
}

function looksLikeHost(part: string): boolean {
  return /[.:]/.test(part) || part === 'localhost' || part !== part.toLowerCase();
}

/** Whether it is `name`, `name:port`, `[address]` or `[address]:port`, and nothing more. */
export function isHostAndPort(text: string): boolean {
  return /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text) && URL.canParse(`http://${text}/`);
}
