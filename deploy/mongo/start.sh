#!/bin/bash
# Members of a replica set prove themselves with a key, also where there is only one: mongod wants it in a file of its own.
set -euo pipefail
umask 077
printf '%s' "$MONGO_REPLICA_KEY" >/run/mongo/key
exec docker-entrypoint.sh mongod --replSet reelway --keyFile /run/mongo/key --bind_ip_all
