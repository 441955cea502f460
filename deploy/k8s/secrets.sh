#!/bin/sh
# Prints the Secrets and ConfigMaps of an installation, from the folder that this has made:
#   python -m installing secrets FOLDER --postgresql postgresql-rw.coffre.svc:5432 \
#     --rabbitmq rabbitmq.coffre.svc:5672 --management rabbitmq.coffre.svc:15672
#   deploy/k8s/secrets.sh FOLDER | kubectl apply --server-side -f -
# The keys that only a person keeps (admin/master-key and so on) are in none of them.
set -eu
folder=${1:?which folder}

make() { # kind, name, then what it holds
    [ "$1" = configmap ] && kind=configmap || kind="secret generic"
    name=$2
    shift 2
    # shellcheck disable=SC2086 # a kind may be two words
    kubectl create $kind "$name" --namespace=coffre --dry-run=client --output=yaml "$@"
    echo ---
}

for service in ingest portal quota reporting retention; do
    make secret "$service" --from-file="$folder/$service"
done
admin=
for name in database-url owner-database-url broker-url s3-secret-key coffre_owner \
    coffre_ingest coffre_portal coffre_quota coffre_reporting coffre_retention \
    broker-ingest broker-portal broker-quota broker-reporting broker-retention; do
    admin="$admin --from-file=$name=$folder/admin/$name"
done
# shellcheck disable=SC2086 # one word each; a folder with blanks is refused by kubectl
make secret admin $admin
make configmap senders --from-file="$folder/public/senders"
# The legal pages: without a folder of your own those of this repository, which want completing.
make configmap legal --from-file="${LEGAL_FOLDER:-$(dirname "$0")/../legal}"
make configmap certificate --from-file="$folder/public/certificate-key.pem"

# What the servers in the cluster are started with.
make secret seaweedfs --from-file="$folder/seaweedfs/s3.json"
make secret postgresql-superuser --type=kubernetes.io/basic-auth \
    --from-literal=username=postgres --from-file=password="$folder/postgresql/password"
user=$(mktemp)
trap 'rm -f "$user"' EXIT
printf 'default_user = coffre\ndefault_pass = %s\n' "$(cat "$folder/rabbitmq/password")" > "$user"
make secret rabbitmq-administrator --from-file=default_user.conf="$user" \
    --from-literal=username=coffre --from-file=password="$folder/rabbitmq/password"
