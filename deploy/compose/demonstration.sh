#!/bin/sh
# A client, an enrolled agent and a first copy in a Coffre that compose has just started; then
# where to look. Done once: the next start only tells again.
set -eu
export XDG_CONFIG_HOME=/var/lib/coffre COFFRE_PORTAL=http://portal:8000
client='Boulangerie Martin' email=claire.martin@boulangerie-martin.example

until python3 -c 'from urllib.request import urlopen; urlopen("http://portal:8000/health/ready")' 2>/dev/null; do
    sleep 1
done
token=$(cat /run/secrets/operator-token)
if ! coffre tenant show "$client" --token "$token" --json >/dev/null 2>&1; then
    coffre tenant create --token "$token" --name "$client" --email "$email" --contracted 5GB --seats 2
fi
if [ ! -e /var/lib/coffre/agent/token ]; then
    mkdir -p /var/lib/coffre/agent
    cat > /var/lib/coffre/agent/config.toml <<CONFIG
server = "http://ingest:8000"
token_file = "/var/lib/coffre/agent/token"
state_dir = "/var/lib/coffre/agent/state"

[[plan]]
name = "documents"
folders = ["/usr/share/doc", "/opt/coffre/lib"]
schedule = "15 2 * * *"
timezone = "Europe/Paris"
recipients = ["$email"]
CONFIG
    code=$(coffre enrol "$client" --token "$token" --label demonstration --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["code"])')
    coffre-agent --config /var/lib/coffre/agent/config.toml enrol --code "$code"
    coffre-agent --config /var/lib/coffre/agent/config.toml run documents --json | tail -1 |
        python3 -c 'import json, sys; told = json.load(sys.stdin); print("Copied", told["files_total"], "files:", told["outcome"])'
fi
cat <<TOLD

Coffre runs.

  Portal      https://$PORTAL_HOST$HTTPS_SUFFIX
  Operator    $OPERATOR_EMAIL, password in deploy/compose/secrets/portal/operator-password
  Client      $client, administrator $email
              (a first password came by mail)
  Mailbox     http://127.0.0.1:$MAILPIT_PORT
  Grafana     http://127.0.0.1:$GRAFANA_PORT, admin, password in deploy/compose/secrets/watching/grafana-password

TOLD
