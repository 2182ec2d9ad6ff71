#!/bin/sh
# Puts a backup in the place of what the Redis of a stack holds: restore.sh STACK FILE, on the node that runs Redis.
set -eu
service="$1_redis"
file=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
[ -s "$file" ] || { echo "restore.sh: $2 is missing or empty" >&2; exit 1; }
image=$(docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "$service")

docker service scale --detach "$service=0"
while [ -n "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$service")" ]; do sleep 1; done

# With an AOF, Redis does not look at dump.rdb: the backup becomes the base of a new AOF.
docker run --rm --network none --user 0:0 --volume "$1_redis-data:/data" --volume "$file:/backup.rdb:ro" --entrypoint sh "$image" -euc '
  rm -rf /data/appendonlydir
  mkdir /data/appendonlydir
  cp /backup.rdb /data/appendonlydir/appendonly.aof.1.base.rdb
  echo "file appendonly.aof.1.base.rdb seq 1 type b" > /data/appendonlydir/appendonly.aof.manifest
  chown -R 999:1000 /data/appendonlydir'

docker service scale --detach "$service=1"
