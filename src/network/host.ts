/** Hosts as a listener, a URL or a person names them. */
import { isIP, isIPv6 } from 'node:net';

// Underscores are not DNS, but container networks resolve them.
const hostLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** An IPv4 address or a DNS name; digits and dots that form no address are neither. */
export function isHostname(host: string): boolean {
  if (isIP(host) === 4) return true;
  if (host.length > 253 || /^[\d.]+$/.test(host)) return false;
  return host.split('.').every((label) => hostLabel.test(label));
}

/** Whether a listener at this host is reached by every address of the machine. */
export function isEveryInterface(host: string): boolean {
  return host === '' || host === '0.0.0.0' || host === '::';
}

/** `localhost`, 127.0.0.0/8 or ::1, with or without brackets: docker speaks plain HTTP there. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return bare.toLowerCase() === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** `host:port` with the brackets an IPv6 address needs. */
export function formatHostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
