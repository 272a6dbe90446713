/** What a configuration may say and clients will stumble over. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { type Problem, unplaced } from '../document/problem.ts';

const networks = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '0.0.0.0/8',
].concat(['fc00::/7', 'fe80::/10', '::/128']);
const local = new BlockList();
for (const network of networks) {
  const [address = '', bits] = network.split('/');
  local.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** `publicUrl` is an origin; `file` is where the note stands. */
export function publicUrlNotes(publicUrl: string, file: string): readonly Problem[] {
  const { hostname, protocol } = new URL(publicUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (/^127(?:\.\d+){3}$|^::1$|^(?:.+\.)?localhost\.?$/.test(host)) return [];
  const notes: Problem[] = [];
  if (isIP(host) !== 0 && local.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')) {
    const message = `publicUrl is the private address ${host}: clients that reach the gateway by another name refuse to log in there`;
    notes.push(unplaced(file, 'public-url-private', message, 'use the name that clients use'));
  }
  if (protocol === 'http:') {
    const message =
      'publicUrl is http:// on another machine: passwords and tokens cross the network in clear, and the page has no login';
    notes.push(unplaced(file, 'public-url-plain', message, 'serve https, by tls or a proxy, and write https:// here'));
  }
  return notes;
}
