# Makes the database when there is none, and becomes the server.
set -eu
name=${POSTGRES_DB:-$POSTGRES_USER}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new"
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --pgdata "$PGDATA.new" --username "$POSTGRES_USER" --pwfile /tmp/password \
    --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA.new/pg_hba.conf"
  echo "CREATE DATABASE \"$name\"" | postgres --single -D "$PGDATA.new" postgres > /dev/null
  mkdir -p "$PGDATA"
  mv "$PGDATA.new"/* "$PGDATA"/
  rmdir "$PGDATA.new"
fi
chmod 700 "$PGDATA"  # a volume that is given to a group is given to it whole
exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"
