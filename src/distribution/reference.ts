/** Names of things in a registry: OCI distribution-spec, "Pulling manifests", and go-digest's registered algorithms. */

export type RepositoryName = string & { readonly is: 'RepositoryName' };
export type Tag = string & { readonly is: 'Tag' };
export type Digest = string & { readonly is: 'Digest' };
export type UploadId = string & { readonly is: 'UploadId' };

/** Characters; many clients cap `host/name` at 255 as well. */
const maxRepositoryNameLength = 255;

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryName = new RegExp(`^${component}(?:/${component})*$`);
const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const digest = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;
const referrersTag = /^(?:sha256-[a-f0-9]{64}|sha384-[a-f0-9]{64,96}|sha512-[a-f0-9]{64,128})(?:\.[a-z]+)?$/;
const uploadId = /^(?!\.{1,2}$)[a-zA-Z0-9_.=-]{1,128}$/;

/** distribution-spec "Pulling manifests": at most 255 characters; undefined for anything else. */
export function parseRepositoryName(text: string): RepositoryName | undefined {
  return text.length <= maxRepositoryNameLength && repositoryName.test(text) ? (text as RepositoryName) : undefined;
}

/** distribution-spec "Pulling manifests": at most 128 characters; undefined for anything else. */
export function parseTag(text: string): Tag | undefined {
  return tag.test(text) ? (text as Tag) : undefined;
}

/**
 * A tag that stands for the digest of another manifest: distribution-spec "Referrers Tag Schema", and what cosign makes of
 * it (`.sig`, `.att`, `.sbom`). Nobody finds one without knowing the digest.
 */
export function isReferrersTag(text: string): boolean {
  return referrersTag.test(text);
}

/** Lower-case hexadecimal of the exact length only: two spellings of one digest would be two cache keys and two audit lines. */
export function parseDigest(text: string): Digest | undefined {
  return digest.test(text) ? (text as Digest) : undefined;
}

/** Never `.` or `..`: some registries join it into a file path. */
export function parseUploadId(text: string): UploadId | undefined {
  return uploadId.test(text) ? (text as UploadId) : undefined;
}
