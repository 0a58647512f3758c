#!/bin/sh
# Runs a command in a copy of this machine that lacks some packages. The copy is an overlay of /, in namespaces of its own:
# nothing outside changes, and no program outside is stopped.
#   unshare --mount --pid --fork --kill-child without-packages.sh FOLDER "PACKAGES" COMMAND ARGUMENTS
set -eu
folder=$1 packages=$2
shift 2
mount --make-rprivate /
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
mount -t proc proc "$folder/root/proc"
mount --rbind /dev "$folder/root/dev"
# shellcheck disable=SC2086
chroot "$folder/root" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get remove -y -qq $packages >/dev/null 2>&1
exec chroot "$folder/root" "$@"
