#!/bin/sh
# Makes the images that docker-compose.yml asks for, from programs of this machine: no registry is needed.
#   make-images.sh FOLDER    (FOLDER is empty; the files of the images are collected there)
# It is one image under several names: it holds Node, Redis, memcached and PostgreSQL as Debian ships them, and BusyBox for
# the shell and the health checks. The image "holdfast" adds the built programs of this working tree, as the last stage of
# the Dockerfile does. Run `npm run build` before.
set -eu
files=$1
tree=$(cd "$(dirname "$0")/../.." && pwd)
postgres=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
version=$(basename "$(dirname "$postgres")")

# Copies files with the shared libraries that they need.
copy() {
  for file; do
    mkdir -p "$files$(dirname "$file")"
    cp -L "$file" "$files$file"
    ldd "$file" 2>/dev/null | grep -o '/[^ )]*' | while read -r library; do
      [ -e "$files$library" ] || { mkdir -p "$files$(dirname "$library")" && cp -L "$library" "$files$library"; }
    done
  done
}

mkdir -p "$files/tmp" "$files/proc" "$files/sys" "$files/dev" "$files/etc" "$files/bin" "$files/usr/local/bin"
mkdir -p "$files/var/run/postgresql" "$files/usr/share" "$files/app" "$files/shared"
copy "$(command -v node)" /usr/bin/redis-server /usr/bin/redis-cli /usr/bin/memcached "$(command -v busybox)"
for program in sh cat env nc grep ls mkdir; do ln -sf "$(command -v busybox)" "$files/bin/$program"; done
copy "$postgres/postgres" "$postgres/initdb" "$postgres/pg_isready"
for library in "$postgres"/../lib/*.so; do
  case $library in *llvm*) ;; *) copy "$library" ;; esac
done
mkdir -p "$files/usr/share/postgresql"
cp -RL "/usr/share/postgresql/$version" "$files/usr/share/postgresql/$version"
copy /usr/share/zoneinfo/UTC
ln -s "$postgres/pg_isready" "$files/usr/local/bin/pg_isready"

# Users, the configuration of Redis and the start of PostgreSQL: as in the official images.
cat > "$files/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
node:x:1000:1000::/tmp:/bin/sh
redis:x:999:999::/tmp:/bin/sh
postgres:x:70:70::/tmp:/bin/sh
memcache:x:11211:11211::/tmp:/bin/sh
END
printf '#!/bin/sh\nexec /usr/bin/redis-server --protected-mode no "$@"\n' > "$files/usr/local/bin/redis-server"
cat > "$files/usr/local/bin/start-postgres" <<END
#!/bin/sh
set -e
data=/var/lib/postgresql/data
[ -e \$data/PG_VERSION ] || {
  $postgres/initdb --pgdata=\$data --username=postgres --auth=trust --encoding=UTF8 --locale=C
  echo 'host all all all trust' >> \$data/pg_hba.conf
}
exec $postgres/postgres -D \$data -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
END
mkdir -p -m 700 "$files/var/lib/postgresql/data"
chmod 755 "$files"/usr/local/bin/*
chmod 1777 "$files/tmp"
chown 1000:1000 "$files/shared"
chmod 700 "$files/shared"
chown 70:70 "$files/var/lib/postgresql/data" "$files/var/run/postgresql"

tar -C "$files" -c . | podman import --quiet --change 'CMD ["start-postgres"]' - localhost/machine
podman tag localhost/machine docker.io/library/redis:7-alpine docker.io/library/postgres:17-alpine
container=$(podman create localhost/machine)
podman commit --quiet --change 'USER memcache' "$container" docker.io/library/memcached:1-alpine
podman rm "$container"

# Only the programs are new in this image: to import all files again would take longer.
cp -R "$tree/dist" "$tree/package.json" "$tree/scenarios" "$files/app"
rm -rf "$files/app/dist/test" "$files/app/dist/bench"
container=$(podman create localhost/machine)
podman cp "$files/app" "$container:/"
podman commit --quiet --change 'CMD []' --change 'ENTRYPOINT ["node"]' --change 'WORKDIR /app' --change 'USER node' \
  --change 'ENV NODE_ENV=production' "$container" localhost/holdfast
podman rm "$container"
podman tag localhost/holdfast docker.io/library/holdfast
