/** The headers of a read, whoever answers it: the registry or the storage it points at. */

/** What a client may say of what it wants. */
export const wishHeaders = [
  'accept',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'user-agent',
] as const;

/** What describes the content that it gets. */
export const contentHeaders = [
  'content-type',
  'content-length',
  'content-range',
  'content-encoding',
  'accept-ranges',
  'etag',
  'last-modified',
  'cache-control',
] as const;
