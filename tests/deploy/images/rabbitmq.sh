#!/bin/sh
# As the published image: the first account from the environment, then as its own user.
set -eu
printf 'default_user = %s\ndefault_pass = %s\nloopback_users = none\nlog.console = true\n' \
    "$RABBITMQ_DEFAULT_USER" "$RABBITMQ_DEFAULT_PASS" > /etc/rabbitmq/rabbitmq.conf
chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /etc/rabbitmq
cd /var/lib/rabbitmq
exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups \
    env HOME=/var/lib/rabbitmq RUNNING_UNDER_SYSTEMD=true /usr/lib/rabbitmq/bin/"$1"
