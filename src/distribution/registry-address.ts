/** Where the registry is, as node:http wants it: the same for what is forwarded, what is asked, and its health. */

export interface RegistryAddress {
  /** `http:` or `https:`. */
  readonly protocol: string;
  /** A name or a literal without brackets: `[::1]` of a URL would be looked up as a name. */
  readonly hostname: string;
  readonly port: number;
}

/** Of a URL whose scheme is http or https; an absent port is that of the scheme. */
export function registryAddress({ protocol, hostname, port }: URL): RegistryAddress {
  const standard = protocol === 'https:' ? 443 : 80;
  return { protocol, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? standard : Number(port) };
}
