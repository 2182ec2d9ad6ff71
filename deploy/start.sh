#!/bin/sh
# Renders the ACL file from the secrets, then becomes redis-server: start.sh CONFIG [more arguments for redis-server]
set -eu

fail() {
  echo "start.sh: $1" >&2
  exit 78
}

# The SHA-256 of a secret, without the line end behind it, as the app takes it. White space alone is no password.
hash_of() {
  [ -f "/run/secrets/$1" ] || fail "the secret $1 is missing"
  secret="$(cat "/run/secrets/$1" && printf .)" # without the dot, all line ends would go
  secret="${secret%.}" && secret="${secret%"$newline"}" && secret="${secret%"$return"}"
  case "$secret" in *[![:space:]]*) ;; *) fail "the secret $1 is empty" ;; esac
  printf '%s' "$secret" | sha256sum | cut -d' ' -f1
}
newline="
"
return="$(printf '\r')"

namespace="${REDIS_NAMESPACE:-larder}"
# It becomes a part of key patterns: none of its characters may mean something there, or to sed.
case "$namespace" in *[!A-Za-z0-9._-]*) fail "REDIS_NAMESPACE is not made of letters, digits, \".\", \"_\" and \"-\"" ;; esac

umask 077
app="#$(hash_of redis_password)"
previous="#$(hash_of redis_password_previous)"
[ "$previous" = "$app" ] || app="$app $previous"

# For whoever may open a shell in this container; it is another one after each start, and leaves it nowhere.
head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1 > /run/redis/ops_password
ops="#$(printf '%s' "$(cat /run/redis/ops_password)" | sha256sum | cut -d' ' -f1)"

sed -e "s/@NAMESPACE@/$namespace/g" -e "s/@APP_PASSWORDS@/$app/" -e "s/@OPS_PASSWORD@/$ops/" \
  /etc/redis/users.acl.tmpl > /run/redis/users.acl
grep -q '^user default off' /run/redis/users.acl || fail "the ACL file does not switch the default user off"

exec redis-server "$@"
