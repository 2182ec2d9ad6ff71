#!/bin/sh
# Saves what the Redis of a stack holds: backup.sh STACK FILE, on the node that runs Redis.
set -eu
container=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$1_redis")
[ -n "$container" ] || { echo "backup.sh: no task of $1_redis runs on this node" >&2; exit 1; }

ops() {
  docker exec "$container" sh -c 'REDISCLI_AUTH=$(cat /run/redis/ops_password) \
    exec redis-cli $REDIS_CLI_ARGS -e --user ops --no-auth-warning "$@"' sh "$@"
}

ops bgsave
while ops info persistence | grep -q '^rdb_bgsave_in_progress:1'; do sleep 1; done
ops info persistence | grep -q '^rdb_last_bgsave_status:ok' || { echo "backup.sh: Redis could not save" >&2; exit 1; }
docker cp "$container:/data/dump.rdb" "$2"
