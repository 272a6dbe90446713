/** Which addresses anybody on the internet may reach. */
import { isIP } from 'node:net';
import { inNetworks } from '../policy/conditions.ts';

const near = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10', '127.0.0.0/8'].concat(
  ['0.0.0.0/8', 'fc00::/7', 'fe80::/10', '::1/128', '::/128'],
);

/** Neither of a private network nor of this machine alone. Names are no addresses. */
export function isPublicAddress(address: string): boolean {
  const [plain = ''] = address.split('%');
  return isIP(plain) !== 0 && !inNetworks(near, plain);
}
