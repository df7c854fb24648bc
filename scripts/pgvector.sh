#!/bin/sh
# Brings pgvector to the newest Postgres that is installed here: as a package, or built from Debian's source where the release has none (Debian 12). Needs root.
set -eu
version=$(ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -1)
[ -n "$version" ] || { echo "no Postgres in /usr/lib/postgresql"; exit 1; }
share=/usr/share/postgresql/$version/extension
if [ -f "$share/vector.control" ]; then exit 0; fi
install() { env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; }
if install "postgresql-$version-pgvector"; then exit 0; fi

install gcc libc6-dev dpkg-dev || { echo "no compiler for pgvector"; exit 1; }
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -1)
[ -n "$mirror" ] || { echo "pgvector is no package here, and this is not Debian"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
# Only a source is read from the newer release, with lists of its own: what is installed here stays with its release.
mkdir -p lists/partial cache/archives/partial
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
newer() {
  apt-get -qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" "$@" >/dev/null 2>&1
}
{ newer update && newer source pgvector; } || { echo "pgvector's source could not be had"; exit 1; }
{ apt-get -qq download "postgresql-server-dev-$version" >/dev/null 2>&1 && dpkg -x "postgresql-server-dev-$version"_*.deb dev; } ||
  { echo "the headers of Postgres $version could not be had"; exit 1; }
source=$(find . -maxdepth 1 -type d -name 'pgvector-*')
number=$(sed -n 's/^EXTVERSION = //p' "$source/Makefile")
gcc -O2 -ftree-vectorize -fassociative-math -fno-signed-zeros -fno-trapping-math -fPIC -shared -D_GNU_SOURCE \
  -I "dev/usr/include/postgresql/$version/server" -o vector.so "$source"/src/*.c -lm || { echo "pgvector could not be built"; exit 1; }
cp vector.so "/usr/lib/postgresql/$version/lib/vector.so"
cp "$source"/sql/vector--*--*.sql "$share/"
cp "$source/sql/vector.sql" "$share/vector--$number.sql"
cp "$source/vector.control" "$share/vector.control"
