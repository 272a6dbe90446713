/** What a configuration may say and clients will stumble over. */
import { BlockList, isIP } from 'node:net';
import { type Problem } from '../document/problem.ts';

const local = new BlockList();
for (const [address, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['0.0.0.0', 8],
] as const)
  local.addSubnet(address, bits, 'ipv4');
for (const [address, bits] of [
  ['fc00::', 7],
  ['fe80::', 10],
  ['::', 128],
] as const)
  local.addSubnet(address, bits, 'ipv6');

/** `publicUrl` is an origin; `file` is where the note stands. */
export function publicUrlNotes(publicUrl: string, file: string): readonly Problem[] {
  const { hostname, protocol } = new URL(publicUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (/^127(?:\.\d+){3}$|^::1$|^(?:.+\.)?localhost\.?$/.test(host)) return [];
  const note = (code: string, message: string, fix: string): Problem => ({
    file,
    line: 0,
    column: 0,
    code,
    message,
    fix,
  });
  const isPrivate = isIP(host) !== 0 && local.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
  return [
    ...(isPrivate
      ? [
          note(
            'public-url-private',
            `publicUrl is the private address ${host}: clients that reach the gateway by another name refuse to log in there`,
            'use the name that clients use',
          ),
        ]
      : []),
    ...(protocol === 'http:'
      ? [
          note(
            'public-url-plain',
            'publicUrl is http:// on another machine: passwords and tokens cross the network in clear',
            'serve https, by tls or a proxy, and write https:// here',
          ),
        ]
      : []),
  ];
}
