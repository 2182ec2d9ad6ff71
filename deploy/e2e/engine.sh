# Starts dockerd where it cannot touch the machine: engine.sh FOLDER ARGUMENTS…
# It runs as the first process of namespaces of its own, and ends with its standard input: with it, all that it started.
set -eu
folder=$1
shift

ip link set lo up

# What engines write outside of their folders goes to a layer that ends with the namespace.
mkdir "$folder/layer"
mount -t tmpfs tmpfs "$folder/layer"
for path in /etc /opt /run /var/lib; do
  layer="$folder/layer$path"
  mkdir -p "$layer" "$layer.work"
  mount -t overlay overlay -o "lowerdir=$path,upperdir=$layer,workdir=$layer.work" "$path"
done

exec 3<&0
dockerd "$@" 2> "$folder/log" &
engine=$!
{
  read -r _ <&3 || true
  kill -KILL $engine
} &
wait $engine
