/**
 * `npm sbom … | node deploy/image/sbom.mjs NODE_VERSION ARCH DEBIAN_PACKAGES`: what the image holds, as CycloneDX. Node and
 * the packages of Debian (a file with a line `NAME VERSION` each) are added; the time and the number of its making are not
 * kept, so that the same image has the same list.
 */
import { readFileSync } from 'node:fs';

const [nodeVersion, arch, debianPackages] = process.argv.slice(2);
const sbom = JSON.parse(readFileSync(0, 'utf8'));
delete sbom.serialNumber;
delete sbom.metadata.timestamp;
// npm takes the name of the folder.
sbom.metadata.component.name = 'portcullis';
const component = (name, version, purl) => ({ 'bom-ref': purl, type: 'library', name, version, purl });
const debian = readFileSync(debianPackages, 'utf8').trim().split('\n').sort();
sbom.components.push(
  component('node', nodeVersion, `pkg:generic/node@${nodeVersion}`),
  ...debian.map((line) => {
    const [name, version] = line.split(' ');
    const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`;
    return component(name, version, purl);
  }),
);
console.log(JSON.stringify(sbom, undefined, 2));
