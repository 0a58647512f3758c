#!/bin/sh
# Runs systemd as process 1 of a PID namespace, with the units of a folder and no others.
#   unshare --mount --pid --fork --mount-proc run-systemd.sh FOLDER
set -eu
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/holdfast-test
echo $$ > /sys/fs/cgroup/holdfast-test/cgroup.procs
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
cp "$1"/*.service "$1"/*.target /run/systemd/system
exec env container=holdfast /usr/lib/systemd/systemd --system --unit=shops.target
