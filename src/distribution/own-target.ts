/** What a registry writes of itself: in `Location` and in `Link`. */

/** Characters of path and query that are followed. Sealed and sent to a client, it must fit into a request target. */
const maxOwnTarget = 4096;

/** Path and query, byte for byte, of a URL at one of `hosts` or without one; undefined if other or read in two ways. */
export function ownTarget(value: string, hosts: readonly string[]): string | undefined {
  const [, origin, rest] = /^(https?:\/\/[^/?#\\@]+)(\/.*)$/i.exec(value) ?? [];
  const host = origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined;
  // Not the scheme: whatever ends TLS in front may hide it from the registry.
  const target = host !== undefined && hosts.includes(host) ? (rest ?? '') : value;
  const isPath = target.startsWith('/') && !target.startsWith('//');
  return isPath && target.length <= maxOwnTarget && /^[\x21-\x7e]+$/.test(target) && !/[\\#<>"]/.test(target)
    ? target
    : undefined;
}

export interface UploadLocation {
  /** Path and query that the registry wrote, byte for byte. */
  readonly target: string;
  /** The last part of its path, which may be empty: what only the registry understands can all be in the query. */
  readonly id: string;
}

/** Where the registry says that an upload into `repository` goes on; undefined for anything but an upload into it. */
export function uploadLocation(
  value: string,
  repository: string,
  hosts: readonly string[],
): UploadLocation | undefined {
  const target = ownTarget(value, hosts);
  const [path = ''] = target?.split('?', 1) ?? [];
  const root = `/v2/${repository}/blobs/uploads`;
  if (target === undefined || !path.startsWith(root)) return undefined;
  const rest = path.slice(root.length);
  const id = rest.slice(1);
  // A registry may decode it before it looks for where it ends.
  if (!/^(?:\/[^/]*)?$/.test(rest) || /^\.{1,2}$|%(?:2e|2f|5c|00|25)/i.test(id)) return undefined;
  return id === '' && path === target ? undefined : { target, id };
}
