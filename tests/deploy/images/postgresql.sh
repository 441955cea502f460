# As the published image starts: a cluster the first time, with the password from its file.
set -eu
mkdir -p "$PGDATA" && chown -R postgres:postgres "$PGDATA" && chmod 700 "$PGDATA"
mkdir -p /var/run/postgresql && chown postgres /var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -m 600 -o postgres "$POSTGRES_PASSWORD_FILE" /tmp/password
    setpriv --reuid=postgres --regid=postgres --init-groups initdb --username=postgres \
        --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -c listen_addresses='*'
