#!/bin/sh
# Makes an authority and a certificate for Redis: make_certificates.sh FOLDER [DAYS [NAME…]]
# FOLDER gets ca.pem, ca.key (keep it safe, the stack does not need it), redis.pem and redis.key. An authority that is there is used.
set -eu
folder=$1
days=${2:-365}
[ $# -gt 2 ] && shift 2 || set -- redis redis-cache

mkdir -p "$folder"
cd "$folder"
umask 077
names=
for name in "$@"; do
  case "$name" in *[!0-9.]*) names="$names,DNS:$name" ;; *) names="$names,IP:$name" ;; esac
done

[ -s ca.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "${CA_DAYS:-3650}" \
  -subj "/CN=Authority for Redis" -addext "keyUsage=critical,keyCertSign" -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout redis.key -out redis.csr
printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' "${names#,}" > redis.ext
openssl x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -extfile redis.ext -out redis.pem
rm redis.csr redis.ext
