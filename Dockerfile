# Two images of one tree: `services` (the default) and `agent`.
#   docker build -t coffre/coffre .          docker build --target agent -t coffre/agent .
# A digest pins the base for good: --build-arg PYTHON_DIGEST=@sha256:…
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm
ARG PYTHON_DIGEST=

FROM ${PYTHON}${PYTHON_DIGEST} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements-build.lock ./
RUN python3 -m venv /opt/building \
    && /opt/building/bin/pip install --require-hashes --no-deps -r requirements-build.lock

FROM tools AS building
COPY pyproject.toml README.md ./
COPY agent agent
COPY installing installing
COPY libs libs
COPY operators operators
COPY services services
RUN /opt/building/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# Libraries first: a change of ours has only ours installed anew.
FROM tools AS building-services
COPY requirements-server.lock ./
RUN python3 -m venv /opt/coffre \
    && /opt/coffre/bin/pip install --require-hashes --no-deps --only-binary :all: \
        -r requirements-server.lock
COPY --from=building /wheels /wheels
RUN /opt/coffre/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/coffre/bin/pip uninstall --yes pip

FROM tools AS building-agent
COPY requirements-agent.lock ./
RUN python3 -m venv /opt/coffre \
    && /opt/coffre/bin/pip install --require-hashes --no-deps --only-binary :all: \
        -r requirements-agent.lock
COPY --from=building /wheels /wheels
RUN /opt/coffre/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/coffre/bin/pip uninstall --yes pip

# What is in each image, as CycloneDX: read from what was installed, at the locked versions.
FROM tools AS listing
COPY requirements-package.lock ./
RUN python3 -m venv /opt/listing \
    && /opt/listing/bin/pip install --require-hashes --no-deps --only-binary :all: \
        -r requirements-package.lock

FROM listing AS listing-services
COPY pyproject.toml ./
COPY --from=building-services /opt/coffre /opt/coffre
RUN /opt/listing/bin/cyclonedx-py environment --output-reproducible --spec-version 1.6 \
        --pyproject pyproject.toml --output-file /sbom.cdx.json /opt/coffre/bin/python3

FROM listing AS listing-agent
COPY pyproject.toml ./
COPY --from=building-agent /opt/coffre /opt/coffre
RUN /opt/listing/bin/cyclonedx-py environment --output-reproducible --spec-version 1.6 \
        --pyproject pyproject.toml --output-file /sbom.cdx.json /opt/coffre/bin/python3

FROM ${PYTHON}${PYTHON_DIGEST} AS agent
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Coffre agent" \
      org.opencontainers.image.description="Copies folders and database dumps to a Coffre" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=building-agent /opt/coffre /opt/coffre
COPY --from=listing-agent /sbom.cdx.json /usr/share/coffre/sbom.cdx.json
ENV PATH=/opt/coffre/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Reads /etc/coffre-agent/config.toml, keeps what it knows in /var/lib/coffre-agent. Root reads
# all files of a mounted host; any other user reads what it may.
VOLUME ["/var/lib/coffre-agent"]
ENTRYPOINT ["coffre-agent", "--config", "/etc/coffre-agent/config.toml"]
CMD ["loop"]

FROM ${PYTHON}${PYTHON_DIGEST} AS services
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Coffre" \
      org.opencontainers.image.description="Ingest, quota, reporting, retention and portal" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=building-services /opt/coffre /opt/coffre
COPY --from=listing-services /sbom.cdx.json /usr/share/coffre/sbom.cdx.json
ENV PATH=/opt/coffre/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    COFFRE_LISTEN=0.0.0.0:8000 COFFRE_MONITOR_LISTEN=0.0.0.0:8100
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/coffre
WORKDIR /
USER 10001:10001
EXPOSE 8000 8100
# Its own loops' pulse, never a server that it needs: an outage is no reason to be started anew.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python3", "-I", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["python3", "-P", "-m"]
CMD ["services.portal"]
