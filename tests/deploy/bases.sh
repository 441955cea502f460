#!/usr/bin/env bash
# Builds the base images that docker-compose.yml asks for from packages of Debian and PyPI, under
# the names of the published ones: where no registry of images is reached. Called by its test.
#   bases.sh SCRATCH WEED CADDY
set -euo pipefail
scratch=$1 weed=$2 caddy=$3
here=$(cd "$(dirname "$0")" && pwd)
usual='ENV PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

base() { # NAME PACKAGES…: an image of Debian's packages, unless it is there
    podman image exists "$1" && return
    local packages=${*:2}
    # Services must not start while their packages are configured.
    mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io --include="${packages// /,}" bookworm "$scratch/root.tar"
    podman import --quiet --change "$usual" "$scratch/root.tar" "$1"
    rm "$scratch/root.tar"
}

from() { # NAME FILE [CONTEXT]: an image by a Dockerfile of this folder, unless it is there
    podman image exists "$1" && return
    podman build --quiet --format docker --file "$here/images/$2" --tag "$1" "${3:-$here/images}"
}

base docker.io/library/python:3.11-slim-bookworm python3 python3-venv ca-certificates
# One for all servers, which takes a fraction of the time that one for each does.
base localhost/debian-servers postgresql gosu rabbitmq-server prometheus prometheus-alertmanager \
    python3-aiosmtpd wget ca-certificates
mkdir -p "$scratch/plain" && cp "$weed" "$caddy" "$scratch/plain"
from docker.io/library/postgres:17-bookworm postgresql
from docker.io/library/rabbitmq:4.1-management rabbitmq
from docker.io/library/caddy:2.10 caddy "$scratch/plain"
from docker.io/prom/prometheus:v3.5.0 prometheus
from docker.io/prom/alertmanager:v0.28.1 alertmanager
from docker.io/chrislusf/seaweedfs:4.48 seaweedfs "$scratch/plain"
from docker.io/axllent/mailpit:v1.27 mailbox
