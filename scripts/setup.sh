#!/usr/bin/env bash
# Installs what the tests use beyond npm, on Debian: git (the embedded GitLab's repositories), curl (the guest agent's
# HTTP client in images) and redis-server (the store of several replicas). Further Node versions come from npm into .cache/,
# and the Pulumi CLI is built there from its Go modules unless a recent one is installed. The independent clients of
# test/clients, python-gitlab and two small programs in Rust, are made there too, and the guest kernel of test/images.
set -euo pipefail
cd "$(dirname "$0")/.."
# The tests start servers of their own: none is to run because its package came.
no_servers() {
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
}
missing=()
for command in git curl redis-server; do
  command -v "$command" >/dev/null 2>&1 || missing+=("$command")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: install these first (as root on Debian: apt-get install ${missing[*]}): ${missing[*]}" >&2
    exit 1
  fi
  apt-get update -q
  no_servers
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates "${missing[@]}"
fi
# What builds and boots images: where it cannot be installed, the suite test:images is left out and says so.
image_tools=(qemu-system-x86 qemu-utils mmdebstrap skopeo umoci docker-registry e2fsprogs iproute2 linux-source-6.1
  build-essential bc bison flex libelf-dev kmod cpio xz-utils)
if ! dpkg-query -W "${image_tools[@]}" >/dev/null 2>&1; then
  left_out="setup: test:images is left out; on Debian 12 as root: apt-get install ${image_tools[*]}"
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -q
    no_servers
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${image_tools[@]}" || echo "$left_out" >&2
  else
    echo "$left_out" >&2
  fi
fi
# What builds the container recipe: without it test/long/container.test.ts is left out and says so.
if ! command -v buildah >/dev/null 2>&1; then
  left_out="setup: test/long/container.test.ts is left out; on Debian as root: apt-get install buildah mmdebstrap"
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends buildah || echo "$left_out" >&2
  else
    echo "$left_out" >&2
  fi
fi
node --import tsx scripts/other-nodes.ts install
node --import tsx scripts/setup-pulumi.ts
node --import tsx scripts/setup-clients.ts
if [ -e /usr/src/linux-source-6.1.tar.xz ] && command -v umoci >/dev/null; then
  node --import tsx reconciler/cli/bin.ts image build kernel-minimal --dir .cache/images
fi
echo "setup: git $(git --version | cut -d' ' -f3), curl $(curl --version | head -n1 | cut -d' ' -f2), $(redis-server --version | cut -d' ' -f1-3)"
