"""What the page of scale says beside its figures."""

from __future__ import annotations

PARTS = (
    (
        "- **Ingest, portal** keep nothing between two requests: start more of them behind the"
        " balancer; on Kubernetes that is done by their load"
        " ([kubernetes.md](operations/kubernetes.md)). Shares and limits of a client are counted in"
        " each process, so a client may have as many times more as there are processes."
        " Each process"
        " opens up to `coffre_pool_limit` connections: `max_connections` of PostgreSQL"
        " must hold them"
        " all."
    ),
    (
        "- **Quota, reporting, retention** take events and mails in any number of processes, by"
        " `SKIP LOCKED`. One at a time publishes a service's outbox, and one at a time collects and"
        " one scrubs."
    ),
    (
        "- **Retention's reading** is what stops first: one process reads everything again within"
        " `COFFRE_SCRUB_DAYS`, at most at `COFFRE_SCRUB_RATE_BYTES`. 20 MB/s, as it"
        " comes, is 47 TB in"
        " the 27 days after which it begins anew. Raise the rate as far as the store"
        " allows, then the"
        " days; beyond that several installations with some clients each: the scrub is not divided"
        " among processes yet."
    ),
    (
        "- **RabbitMQ** carries ids and summaries, no contents, and is far from busy. Three members"
        " with quorum queues are for outages, not for speed"
        " ([kubernetes.md](operations/kubernetes.md), `components/rabbitmq-operator`)."
        " The work waits"
        " in PostgreSQL, so a broker can be replaced empty."
    ),
    (
        "- **PostgreSQL** is the part that grows with files. Its processor is no matter"
        " for long; its"
        " size is: backup, restore and vacuum of terabytes take hours. First give the catalogue a"
        " server of its own disks and memory for its indexes. Then partition the tables of the"
        " catalogue by hash of the tenant, on one server, so that vacuum and indexes"
        " stay small; then"
        " spread them by tenant (Citus with `tenant_id` as the distribution column, or several"
        " installations with some clients each, which needs no change at all: a client"
        " is never in two"
        " of them). Which tables are ready for it is listed below."
    ),
    (
        "- **The store**: one SeaweedFS is for one machine. Petabytes are a store of"
        " several machines"
        " with erasure coding (Ceph's RGW, SeaweedFS with volume servers and a filer's database of"
        " their own, or a provider's S3): objects of 16 MiB are put once, read by ranges, never"
        " changed, so any will do. Move with [storage.md](operations/storage.md)."
    ),
    (
        "- **Two of each service** on this machine were no worse than one of each: a run took 1.07"
        " times the processor, and its mail came 1.13 times as late (medians of nine pairs of"
        " rounds beside each other, while the machine had much else to do:"
        " `tests/bench/test_twice.py`). While nothing was asked of them ten processes used 5.8% of"
        " a core, five 3.1%."
    ),
    (
        "- **Mail**: some thousands a night; the provider's mail server and the pace that big"
        " mailboxes allow come first (`COFFRE_SMTP_DOMAIN_RATE`)."
    ),
)
KEYS = (
    "Read from the schema; a test compares this list with a migrated database.",
    "PostgreSQL's partitions and Citus want the tenant in every unique key of a table.",
    (
        "A key of a random UUID alone stays unique without help: such a key becomes"
        " `(tenant_id, id)`, an expand-only migration as others"
        " ([upgrade.md](operations/upgrade.md))."
    ),
)
OPEN = (
    (
        "- The agents' own processor: the machines here made their files up"
        " ([benchmarks.md](benchmarks.md) has it)."
    ),
    (
        "- A catalogue of that size: [benchmarks.md](benchmarks.md) has ten million versions."
        " Whether an index of terabytes is as fast depends on memory and disks that this machine"
        " has not."
    ),
    (
        "- Several machines, a cluster of RabbitMQ, Citus, a distributed store: what stands above"
        " of them follows from what they are, and was not run."
    ),
    (
        "- Scrubbing and recovery in the day: nothing is old enough to be read again, and nobody"
        " restored."
    ),
)
